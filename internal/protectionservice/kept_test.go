package protectionservice_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// keepSite is a site with a checkpoint of two servers, with a volume each, of which the
// restore fails: that of the server in the way, or of the volume in the way.
func keepSite(t *testing.T, fails string) (s *site, checkpoint string) {
	t.Helper()
	s = newSite(t)
	s.finders = []protectable.Plugin{finder{karbor.VolumeType, map[string][]protectable.Dependent{
		"s1": {{Resource: volume("v1")}}, "s2": {{Resource: volume("v2")}},
	}}}
	s.restart()
	first := make(chan struct{})
	build := func(ctx context.Context, c *protection.Call) error {
		if c.Node.ID == fails {
			<-first
			return karbor.Errorf(karbor.OverLimit, "there is no room")
		}
		if err := c.NewResources.Set(ctx, "new-"+c.Node.ID); err != nil {
			return err
		}
		return s.script.note("made")(ctx, c)
	}
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: build, Undo: s.script.note("undo")})
	s.script.set(karbor.RestoreOperation, karbor.ServerType, protection.Hooks{Complete: build, Undo: s.script.note("undo")})
	go func() { // what fails does so when all that can be made is
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-ticker.C:
			}
			if made := strings.Join(s.script.noted(), " "); strings.Contains(made, "server/s1") && strings.Contains(made, "volume/v1") {
				if fails == "v2" || strings.Contains(made, "volume/v2") {
					close(first)
					return
				}
			}
		}
	}()
	return s, s.until(s.protect(s.plan(server("s1"), server("s2")))).ID
}

func (s *site) restoreKeeping(checkpoint string) karbor.Restore {
	s.t.Helper()
	r, err := s.service.Restore(s.t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: checkpoint, KeepOnFailure: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.untilRestored(r.ID)
}

func (s *site) undone() (keys []string) {
	for _, call := range s.script.noted() {
		if key, ok := strings.CutPrefix(call, "undo "); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

const whole = "it is restored, and was kept, as it was asked for, when the restore failed elsewhere"

func TestFailedRestoreKeepsWhatIsWholeIfAsked(t *testing.T) {
	s, cp := keepSite(t, "v2")
	r := s.restoreKeeping(cp)
	if r.Status != karbor.RestoreFail || !r.KeepOnFailure {
		t.Errorf("the restore is %s, and keeps: %v", r.Status, r.KeepOnFailure)
	}
	status := map[string]karbor.ResourceState{
		"OS::Nova::Server#new-s1": "available", "OS::Cinder::Volume#new-v1": "available",
		"OS::Nova::Server#s2": "error", "OS::Cinder::Volume#v2": "error",
	}
	if diff := cmp.Diff(status, r.ResourcesStatus); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	reasons := map[string]string{
		"OS::Nova::Server#new-s1": whole, "OS::Cinder::Volume#new-v1": whole,
		"OS::Nova::Server#s2":   "stopped, as the operation failed elsewhere",
		"OS::Cinder::Volume#v2": `volume "v-v2" (v2): there is no room`,
	}
	if diff := cmp.Diff(reasons, r.ResourcesReason); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"volume/v2"}, s.undone()); diff != "" {
		t.Errorf("undone (-want +got):\n%s", diff)
	}
	rows, err := s.service.RestoreProgress(t.Context(), s.caller(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rows {
		if p.ID == "v1" && (p.NewID != "new-v1" || p.State != karbor.ResourceAvailable) {
			t.Errorf("progress is %+v", p)
		}
	}
	s.revoked(0)
}

func TestFailedRestoreKeepsWhatStandsOnWhatIsWhole(t *testing.T) {
	s, cp := keepSite(t, "s2")
	r := s.restoreKeeping(cp)
	status := map[string]karbor.ResourceState{
		"OS::Nova::Server#new-s1": "available", "OS::Cinder::Volume#new-v1": "available",
		"OS::Nova::Server#s2": "error", "OS::Cinder::Volume#new-v2": "available",
	}
	if diff := cmp.Diff(status, r.ResourcesStatus); diff != "" || r.Status != karbor.RestoreFail {
		t.Errorf("the restore is %s; status (-want +got):\n%s", r.Status, diff)
	}
	want := `server "s-s2" (s2): there is no room; what was made of it was kept, as it holds what is restored`
	if got := r.ResourcesReason["OS::Nova::Server#s2"]; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	if undone := s.undone(); undone != nil {
		t.Errorf("undone are %v", undone)
	}
}

func TestFailedRestoreRemovesAllIfNotAsked(t *testing.T) {
	s, cp := keepSite(t, "s2")
	r := s.untilRestored(s.restore(t, cp))
	if undone := s.undone(); r.Status != karbor.RestoreFail || len(undone) != 4 {
		t.Errorf("the restore is %s, undone are %v", r.Status, undone)
	}
}
