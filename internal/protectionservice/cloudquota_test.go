package protectionservice_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

// counted is a site whose operations act in a simulated cloud, and whose volumes foresee what they use.
type counted struct {
	*site
	cloud   *cloudtest.Cloud
	project string
}

func newCounted(t *testing.T, foresee func(*protection.Forecast)) *counted {
	t.Helper()
	s, there := newSite(t), cloudtest.Start(t)
	tenant := there.Tenant("alpha", "member")
	s.authority.as = tenant
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{
		PrepareFinish: s.script.note("made"), Undo: s.script.note("undone"),
		Preflight: func(_ context.Context, c *protection.Call) (*protection.Forecast, error) {
			f := protection.NewForecast(c)
			foresee(f)
			return f, nil
		},
	})
	return &counted{s, there, tenant.ProjectID()}
}

// holds begins a protect of a server that holds a snapshot of so many GiB until release.
func (s *counted) holds(gib int64) (checkpoint string, release func()) {
	s.t.Helper()
	holds, released := make(chan struct{}), make(chan struct{})
	s.script.set(karbor.Protect, karbor.ServerType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		held := protection.Holding{Kind: protection.HeldSnapshot, ID: "s-1", GiB: gib}
		if err := c.Hold(ctx, held); err != nil {
			return err
		}
		close(holds)
		select {
		case <-released:
			return c.Release(ctx, held.Kind, held.ID)
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	checkpoint = s.protect(s.plan(karbor.Resource{Type: karbor.ServerType, ID: "web", Name: "web"}))
	arrives(s.t, holds)
	return checkpoint, func() { close(released) }
}

// TestAProtectWithoutRoomInTheCloudsQuotasMakesNothing has three volumes, each of 10 GiB.
func TestAProtectWithoutRoomInTheCloudsQuotasMakesNothing(t *testing.T) {
	stays := func(f *protection.Forecast) {
		f.Need(protection.NeedSnapshots, 1)
		f.Need(protection.NeedGigabytes, 10)
		f.Need(protection.NeedSnapshots.OfVolumeType("standard"), 1)
	}
	passes := func(f *protection.Forecast) {
		f.NeedForAWhile(protection.NeedSnapshots, 1)
		f.NeedForAWhile(protection.NeedVolumes, 1)
		f.NeedForAWhile(protection.NeedGigabytes, 20)
	}
	backs := func(f *protection.Forecast) {
		f.NeedForAWhile(protection.NeedSnapshots, 1)
		f.Need(protection.NeedBackups, 1)
		f.Need(protection.NeedBackupGigabytes, 10)
	}
	for name, test := range map[string]struct {
		foresee func(*protection.Forecast)
		quota   string
		enough  int
		says    string
	}{
		"snapshots that stay":                    {stays, "snapshots", 3, `the quota "snapshots" does not suffice: the checkpoint needs 3, and 2 of 2 are left`},
		"gigabytes that stay":                    {stays, "gigabytes", 30, `the quota "gigabytes" does not suffice: the checkpoint needs 30, and 29 of 29 are left`},
		"snapshots of a volume type":             {stays, "snapshots_standard", 3, `the quota "snapshots" for the volume type "standard" does not suffice: the checkpoint needs 3, and 2 of 2 are left`},
		"backups":                                {backs, "backups", 3, `the quota "backups" does not suffice: the checkpoint needs 3, and 2 of 2 are left`},
		"gigabytes of backups":                   {backs, "backup_gigabytes", 30, `the quota "backup_gigabytes" does not suffice: the checkpoint needs 30, and 29 of 29 are left`},
		"snapshots of one volume after another":  {passes, "snapshots", 1, `the quota "snapshots" does not suffice: the checkpoint needs 1, and 0 of 0 are left`},
		"volumes of one volume after another":    {passes, "volumes", 1, `the quota "volumes" does not suffice: the checkpoint needs 1, and 0 of 0 are left`},
		"gigabytes of one volume after another":  {passes, "gigabytes", 20, `the quota "gigabytes" does not suffice: the checkpoint needs 20, and 19 of 19 are left`},
		"a snapshot that passes before a backup": {backs, "snapshots", 1, `the quota "snapshots" does not suffice: the checkpoint needs 1, and 0 of 0 are left`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCounted(t, test.foresee)
			plan := s.plan(volume("a"), volume("b"), volume("c"))
			s.cloud.Quotas().Set(s.project, test.quota, test.enough-1)
			failed := s.until(s.protect(plan))
			if notes := s.script.noted(); failed.Status != karbor.CheckpointError || len(notes) > 0 {
				t.Fatalf("with one too little the checkpoint is %s, and done was %q", failed.Status, notes)
			}
			for _, resource := range []string{"OS::Cinder::Volume#a", "OS::Cinder::Volume#c"} {
				if says := failed.Reasons[resource]; !strings.Contains(says, test.says) || !strings.Contains(says, "nothing was made") || !strings.Contains(says, "remove what you no longer need") {
					t.Errorf("the reason of %s is %q", resource, says)
				}
			}
			s.cloud.Quotas().Set(s.project, test.quota, test.enough)
			if whole := s.until(s.protect(plan)); whole.Status != karbor.CheckpointAvailable || len(s.script.noted()) != 3 {
				t.Errorf("with enough the checkpoint is %s: %v, and done was %q", whole.Status, whole.Reasons, s.script.noted())
			}
		})
	}
}

// TestQuotasThatCanNotBeReadKeepNoProtectFromItsBeginning has quotas that would not suffice.
func TestQuotasThatCanNotBeReadKeepNoProtectFromItsBeginning(t *testing.T) {
	for name, status := range map[string]int{"not told": http.StatusForbidden, "not there": http.StatusNotFound, "not understood": http.StatusBadRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCounted(t, func(f *protection.Forecast) { f.Need(protection.NeedSnapshots, 1) })
			s.cloud.Quotas().Set(s.project, "snapshots", 0)
			if _, err := s.cloud.Faults().Add(fabric.Fault{Service: "cinder", Path: "/limits$", Status: status, Message: "Not for you."}); err != nil {
				t.Fatal(err)
			}
			if cp := s.until(s.protect(s.plan(volume("a")))); cp.Status != karbor.CheckpointAvailable {
				t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
			}
		})
	}
}

// TestWhatOthersHoldForAWhileIsNoLack has a protect hold all that the quota allows while another begins.
func TestWhatOthersHoldForAWhileIsNoLack(t *testing.T) {
	s := newCounted(t, func(f *protection.Forecast) { f.NeedForAWhile(protection.NeedSnapshots, 1) })
	s.cloud.Quotas().Set(s.project, "snapshots", 0) // as if the one that is held had used it up
	first, release := s.holds(1)
	if cp := s.until(s.protect(s.plan(volume("a")))); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("while the other holds it the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	release()
	if cp := s.until(first); cp.Status != karbor.CheckpointAvailable {
		t.Fatalf("the other is %s: %v", cp.Status, cp.Reasons)
	}
	if cp := s.until(s.protect(s.plan(volume("a")))); cp.Status != karbor.CheckpointError {
		t.Errorf("when nobody holds anything the checkpoint is %s", cp.Status)
	}
}

// TestTheCountIsTakenOnceBeforeAllHooks ends the process while a hook is at work: the hooks go on.
func TestTheCountIsTakenOnceBeforeAllHooks(t *testing.T) {
	s := newCounted(t, func(f *protection.Forecast) { f.Need(protection.NeedSnapshots, 1) })
	s.cloud.Quotas().Set(s.project, "snapshots", 1)
	at := make(chan struct{}, 2)
	hooks := s.script.hooks[karbor.Protect][karbor.VolumeType]
	made := hooks.PrepareFinish
	var runs atomic.Int32
	hooks.Main = func(ctx context.Context, _ *protection.Call) error {
		again := runs.Add(1) > 1
		at <- struct{}{}
		if again {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	s.script.set(karbor.Protect, karbor.VolumeType, hooks)
	id := s.protect(s.plan(volume("a")))
	arrives(t, at)
	s.cloud.Quotas().Set(s.project, "snapshots", 0)
	if err := made(t.Context(), &protection.Call{Node: &karbor.Node{Resource: volume("after the start")}}); err != nil {
		t.Fatal(err)
	}
	s.restart()
	arrives(t, at)
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestAScheduledProtectWithoutRoomMakesNothing(t *testing.T) {
	s := newCounted(t, func(f *protection.Forecast) { f.Need(protection.NeedSnapshots, 1) })
	s.cloud.Quotas().Set(s.project, "snapshots", 0)
	plan := s.plan(volume("a"))
	r := s.scheduled(plan)
	cp, err := s.service.Protect(t.Context(), s.claimedCaller(r, nil), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
	if err != nil {
		t.Fatal(err)
	}
	if failed := s.until(cp.ID); failed.Status != karbor.CheckpointError || len(s.script.noted()) > 0 {
		t.Errorf("the checkpoint is %s, and done was %q", failed.Status, s.script.noted())
	}
	if l := s.logOf(r.ID); !strings.Contains(l.ErrorInfo, "nothing was made, as the quota \"snapshots\" does not suffice: the checkpoint needs 1, and 0 of 0 are left") {
		t.Errorf("the log says %q", l.ErrorInfo)
	}
}

// TestWhatOthersHoldForAWhileIsNotCountedAgainstAVolumeType has others hold a snapshot of 100 GiB, where 5 GiB are left.
func TestWhatOthersHoldForAWhileIsNotCountedAgainstAVolumeType(t *testing.T) {
	for _, quota := range []string{"gigabytes", "gigabytes_standard"} {
		t.Run(quota, func(t *testing.T) {
			s := newCounted(t, func(f *protection.Forecast) {
				for _, n := range []protection.Need{protection.NeedGigabytes, protection.NeedGigabytes.OfSnapshots()} {
					f.Need(n, 10)
					f.Need(n.OfVolumeType("standard"), 10)
				}
			})
			s.cloud.Quotas().Set(s.project, quota, 5)
			first, release := s.holds(100)
			if cp := s.until(s.protect(s.plan(volume("a")))); cp.Status != karbor.CheckpointAvailable {
				t.Errorf("it is %s: %v", cp.Status, cp.Reasons)
			}
			release()
			s.until(first)
		})
	}
}
