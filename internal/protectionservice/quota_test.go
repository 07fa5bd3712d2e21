package protectionservice_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

const gibibyte = 1 << 30

// sized is a finder that knows sizes in bytes, by id.
type sized struct {
	finder
	sizes map[string]int64
}

func (s sized) Size(_ context.Context, _ karbor.Cloud, r karbor.Resource) (int64, error) {
	if size, ok := s.sizes[r.ID]; ok {
		return size, nil
	}
	return 0, karbor.Errorf(karbor.NotFound, "there is no %s", r.ID)
}

// sizedSite is a site whose server web has the volumes a and b.
func sizedSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.stop()
	s.finders = []protectable.Plugin{sized{
		finder{karbor.VolumeType, map[string][]protectable.Dependent{"web": {{Resource: volume("a")}, {Resource: volume("b")}}}},
		map[string]int64{"a": 3 * gibibyte, "b": gibibyte + 1},
	}}
	s.start()
	return s
}

func (s *site) limit(l store.Limits) {
	s.t.Helper()
	if err := s.store.SetLimits(s.t.Context(), projectID, l); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) wantUsage(checkpoints, gigabytes string) {
	s.t.Helper()
	found, err := s.store.Usages(s.t.Context(), projectID)
	if err != nil {
		s.t.Fatal(err)
	}
	for r, want := range map[store.QuotaResource]string{store.QuotaCheckpoints: checkpoints, store.QuotaGigabytes: gigabytes} {
		if got := fmt.Sprintf("%d+%d", found[r].InUse, found[r].Reserved); got != want {
			s.t.Errorf("of %s %s are in use and reserved, want %s", r, got, want)
		}
	}
}

func (s *site) tryProtect(plan string) (karbor.Checkpoint, error) {
	return s.service.Protect(s.t.Context(), s.caller(), protectionservice.ProtectRequest{ProviderID: providerID, PlanID: plan})
}

func TestGigabytesAreSetAsideByEstimateAndSettledToWhatIsThere(t *testing.T) {
	s := sizedSite(t)
	plan := s.plan(karbor.Resource{Type: karbor.ServerType, ID: "web", Name: "web"})
	s.limit(store.Limits{store.QuotaGigabytes: 6})
	move, moved := make(chan struct{}), int64(2*gibibyte+5)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(_ context.Context, c *protection.Call) error {
		<-move
		if c.Node.ID == "a" {
			c.Progress(moved, moved)
		}
		return nil
	}})
	first := s.protect(plan)
	s.wantUsage("0+1", "0+5")
	_, err := s.tryProtect(plan)
	if karbor.KindOf(err) != karbor.OverLimit || !strings.Contains(karbor.Sentence(err), "gigabytes") {
		t.Errorf("got %v", err)
	}
	if granted, revoked := s.authority.counts(); granted-revoked != 1 {
		t.Errorf("%d delegations were granted, %d given back", granted, revoked)
	}
	s.wantUsage("0+1", "0+5")
	close(move)
	if cp := s.until(first); cp.Status != karbor.CheckpointAvailable || cp.Size != moved {
		t.Fatalf("got %+v", cp)
	}
	s.wantUsage("1+0", "3+0")
	if err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, first); err != nil {
		t.Fatal(err)
	}
	s.until(first)
	s.wantUsage("0+0", "0+0")
}

func TestAFailedCheckpointHoldsNoGigabytesAndStillCounts(t *testing.T) {
	s := sizedSite(t)
	s.limit(store.Limits{store.QuotaGigabytes: 100, store.QuotaCheckpoints: 1})
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(context.Context, *protection.Call) error {
		return karbor.Errorf(karbor.Invalid, "no")
	}})
	plan := s.plan(volume("a"), volume("unknown"))
	cp := s.until(s.protect(plan))
	if cp.Status != karbor.CheckpointError {
		t.Fatalf("got %+v", cp)
	}
	s.wantUsage("1+0", "0+0")
	_, err := s.tryProtect(plan)
	if karbor.KindOf(err) != karbor.OverLimit || !strings.Contains(karbor.Sentence(err), "checkpoints") {
		t.Errorf("got %v", err)
	}
}

func TestARefusedRequestToVerifyOrCopySaysWhyAndKeepsNothing(t *testing.T) {
	s := newSite(t)
	plan := s.plan(volume("a"))
	empty := s.plan(volume("b"))
	cp := s.until(s.protect(plan)).ID
	broken := s.until(s.protect(plan)).ID
	if err := s.store.SetCheckpointStatus(t.Context(), projectID, providerID, broken, karbor.CheckpointError); err != nil {
		t.Fatal(err)
	}
	own := s.caller()
	foreign := own
	foreign.Identity = &karbor.Identity{UserID: "bob", ProjectID: "fedcba9876543210fedcba9876543210"}
	verify := func(c protectionservice.Caller, provider, checkpoint string, p karbor.Parameters) error {
		_, err := s.service.Verify(t.Context(), c, protectionservice.VerifyRequest{ProviderID: provider, CheckpointID: checkpoint, Parameters: p})
		return err
	}
	duplicate := func(c protectionservice.Caller, provider, plan string, p karbor.Parameters) error {
		_, err := s.service.Copy(t.Context(), c, protectionservice.CopyRequest{ProviderID: provider, PlanID: plan, Parameters: p})
		return err
	}
	const nobody = "22222222-2222-4222-8222-222222222222"
	deep := func(v any) map[string]any { return map[string]any{"deep": v} }
	for _, tt := range []struct {
		name string
		err  error
		kind karbor.Kind
		says string
	}{
		{"of another project's checkpoint", verify(foreign, providerID, cp, nil), karbor.NotFound, cp},
		{"of a checkpoint that is not there", verify(own, providerID, nobody, nil), karbor.NotFound, nobody},
		{"of a broken checkpoint", verify(own, providerID, broken, nil), karbor.Conflict, "error"},
		{"by an unknown provider", verify(own, nobody, cp, nil), karbor.Invalid, "provider_id"},
		{"with a bad parameter", verify(own, providerID, cp, karbor.Parameters{"OS::Cinder::Volume": deep("yes")}), karbor.Invalid, "deep"},
		{"with an unknown parameter", verify(own, providerID, cp, karbor.Parameters{"OS::Cinder::Volume": {"far": 1}}), karbor.Invalid, "far"},
		{"of an unknown type", verify(own, providerID, cp, karbor.Parameters{"OS::Disk": {}}), karbor.Invalid, "OS::Disk"},
		{"of a resource that is elsewhere", verify(own, providerID, cp, karbor.Parameters{"OS::Cinder::Volume#b": {}}), karbor.Invalid, "Volume#b"},
		{"a good copy", duplicate(own, providerID, plan, karbor.Parameters{"OS::Cinder::Volume": {}}), karbor.NotImplemented, "operation copy"},
		{"of another project's plan", duplicate(foreign, providerID, plan, nil), karbor.NotFound, plan},
		{"of a plan that is not there", duplicate(own, providerID, nobody, nil), karbor.NotFound, nobody},
		{"to an unknown provider", duplicate(own, nobody, plan, nil), karbor.NotFound, nobody},
		{"of a plan without checkpoints", duplicate(own, providerID, empty, nil), karbor.Conflict, "no available checkpoint"},
		{"of a key that is no type", duplicate(own, providerID, plan, karbor.Parameters{"Volume": {}}), karbor.Invalid, "Volume"},
	} {
		if karbor.KindOf(tt.err) != tt.kind || !strings.Contains(karbor.Sentence(tt.err), tt.says) {
			t.Errorf("%s: got %v", tt.name, tt.err)
		}
	}
	verifications, err := s.store.Verifications(t.Context(), store.VerificationFilter{}, store.Page{})
	if err != nil || len(verifications) > 0 {
		t.Errorf("kept were %v, %v", verifications, err)
	}
	copies, err := s.store.Copies(t.Context(), store.CopyFilter{}, store.Page{})
	if err != nil || len(copies) > 0 {
		t.Errorf("kept were %v, %v", copies, err)
	}
	logs, err := s.store.OperationLogs(t.Context(), store.OperationLogFilter{}, store.Page{})
	if err != nil || len(logs) != 2 {
		t.Errorf("the logs are %v, %v", logs, err)
	}
}
