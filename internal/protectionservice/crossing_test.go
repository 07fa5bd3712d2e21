package protectionservice_test

import (
	"context"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// administrator gives a caller of another project who acts on the site's.
func administrator() protectionservice.Caller {
	return protectionservice.Caller{
		Identity: &karbor.Identity{UserID: "admin", ProjectID: otherProject, CanDelegate: true}, Cloud: cloud{}, Project: projectID,
	}
}

func TestAdministratorDeletesAndResetsWhatIsTheTenants(t *testing.T) {
	s := newSite(t)
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	for _, to := range []karbor.CheckpointStatus{karbor.CheckpointError, karbor.CheckpointAvailable} {
		if err := s.service.ResetCheckpoint(t.Context(), administrator(), providerID, id, to); err != nil || s.until(id).Status != to {
			t.Errorf("reset to %s it is %s, %v", to, s.until(id).Status, err)
		}
	}
	if err := s.service.DeleteCheckpoint(t.Context(), administrator(), providerID, id); err != nil {
		t.Fatal(err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointDeleted {
		t.Errorf("it is %s: %v", cp.Status, cp.Reasons)
	}
	// The log is the tenant's, and nothing was done in the administrator's name.
	s.log(t, id, karbor.Delete)
	if granted, _ := s.authority.counts(); granted != 0 {
		t.Errorf("%d delegations were made", granted)
	}
	s.wantUsage("0+0", "0+0")
}

func TestAdministratorCannotGiveTheTenantsCloud(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Delete, karbor.VolumeType, protection.Hooks{Main: s.script.note("delete")})
	id := s.protect(s.plan(volume("v1")))
	s.until(id)
	err := s.service.DeleteCheckpoint(t.Context(), administrator(), providerID, id)
	if karbor.KindOf(err) != karbor.Forbidden {
		t.Errorf("it answers %v", err)
	}
	if cp := s.until(id); cp.Status != karbor.CheckpointAvailable {
		t.Errorf("it is %s", cp.Status)
	}
}

// forbidding is a finder that the cloud does not let look.
type forbidding struct{ finder }

func (forbidding) Show(context.Context, karbor.Cloud, string, map[string]any) (karbor.Resource, error) {
	return karbor.Resource{}, karbor.Errorf(karbor.Forbidden, "the cloud does not let you")
}

func (forbidding) Dependents(context.Context, karbor.Cloud, karbor.Resource) ([]protectable.Dependent, error) {
	return nil, karbor.Errorf(karbor.Forbidden, "the cloud does not let you")
}

func TestRefusedLookSaysWhatWasLookedFor(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("main")})
	s.finders = []protectable.Plugin{forbidding{finder{karbor.VolumeType, nil}}}
	s.restart()
	err := s.attempt(s.plan(volume("v1")))
	if text := err.Error(); karbor.KindOf(err) != karbor.Forbidden || !strings.HasPrefix(text, "looking up OS::Cinder::Volume v1") {
		t.Errorf("protect answers %v", err)
	}
	err = s.attempt(s.plan(server("s1")))
	if text := err.Error(); karbor.KindOf(err) != karbor.Forbidden || !strings.HasPrefix(text, "finding the dependents of OS::Nova::Server s1") {
		t.Errorf("protect answers %v", err)
	}
}
