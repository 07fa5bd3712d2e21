package protectionservice_test

import (
	"context"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// tell does what the plug-in for projects does.
func tell(_ context.Context, call *protection.Call) error {
	sentences, err := protection.Absent(call.Node)
	for _, sentence := range sentences {
		call.NotKept(sentence)
	}
	return err
}

func TestProjectIsProtectedWithoutWhatThePlanLetsBeAbsent(t *testing.T) {
	s := newSite(t)
	s.script.set(karbor.Protect, karbor.ProjectType, protection.Hooks{Offline: true, Main: tell})
	s.finders = []protectable.Plugin{
		finder{karbor.VolumeType, map[string][]protectable.Dependent{projectID: {{Resource: volume("v1")}}}},
		absent{finder{karbor.ServerType, nil}},
	}
	s.restart()
	whole := karbor.Resource{Type: karbor.ProjectType, ID: projectID, Name: "all of it"}
	plan := karbor.Plan{
		ID: karbor.NewID(), ProjectID: projectID, Name: "p", ProviderID: providerID, Status: karbor.PlanSuspended,
		Resources: []karbor.Resource{whole}, Parameters: karbor.Parameters{"OS::Keystone::Project": {"absent_services": "fail"}},
	}
	if err := s.store.CreatePlan(t.Context(), plan, -1); err != nil {
		t.Fatal(err)
	}
	if err := s.attempt(plan.ID); karbor.KindOf(err) != karbor.Unavailable || !strings.Contains(karbor.Sentence(err), `"absent_services"`) {
		t.Errorf("a plan that wants all is answered %v", err)
	}
	plan.ID, plan.Parameters["OS::Keystone::Project"] = karbor.NewID(), map[string]any{"absent_services": "report"}
	if err := s.store.CreatePlan(t.Context(), plan, -1); err != nil {
		t.Fatal(err)
	}
	cp := s.until(s.protect(plan.ID))
	if cp.Status != karbor.CheckpointAvailable || len(cp.Graph.Nodes()) != 2 {
		t.Fatalf("the checkpoint is %s with %d resources: %v", cp.Status, len(cp.Graph.Nodes()), cp.Reasons)
	}
	resources, err := s.service.CheckpointProgress(t.Context(), cp)
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, r := range resources {
		if r.Type == karbor.ProjectType {
			told = strings.Join(r.NotKept, "\n")
		}
	}
	if !strings.Contains(told, "OS::Nova::Server") || !strings.Contains(told, "does not answer") || strings.Contains(told, "Cinder") {
		t.Errorf("told is %q", told)
	}
}

// TestListedResourceIsNotLeftOutWithAnAbsentService also holds for a project in the
// same plan.
func TestListedResourceIsNotLeftOutWithAnAbsentService(t *testing.T) {
	s := newSite(t)
	s.finders = []protectable.Plugin{absent{finder{karbor.VolumeType, nil}}}
	s.restart()
	if err := s.attempt(s.plan(server("s1"))); karbor.KindOf(err) != karbor.Unavailable {
		t.Errorf("error is %v", err)
	}
}
