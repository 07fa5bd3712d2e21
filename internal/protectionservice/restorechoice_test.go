package protectionservice_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// present is a finder that knows what is there.
type present struct {
	finder
	gone map[string]bool
}

func (p present) Show(ctx context.Context, cloud karbor.Cloud, id string, parameters map[string]any) (karbor.Resource, error) {
	if p.gone[id] {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "it is not there")
	}
	return p.finder.Show(ctx, cloud, id, parameters)
}

// shop is a service with a checkpoint of two servers: s1 with a disk of its own, the
// volumes v1 and v2, s2 with v2, and a volume v3 by itself.
type shop struct {
	*site
	checkpoint string
	gone       map[string]bool

	mu       sync.Mutex
	restored []string
	children map[string]string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{site: newSite(t), gone: map[string]bool{}, children: map[string]string{}}
	dependents := map[string][]protectable.Dependent{
		"s1": {{Resource: volume("v1")}, {Resource: volume("v2")}}, "s2": {{Resource: volume("v2")}},
	}
	images := map[string][]protectable.Dependent{"s1": {{Resource: karbor.Resource{Type: karbor.ImageType, ID: "i1", Name: "base"}, Private: true}}}
	s.finders = []protectable.Plugin{
		present{finder{karbor.VolumeType, dependents}, s.gone}, present{finder{karbor.ImageType, images}, s.gone},
		present{finder{karbor.ServerType, nil}, s.gone},
	}
	for _, rt := range []karbor.ResourceType{karbor.ServerType, karbor.VolumeType, karbor.ImageType} {
		s.script.set(karbor.Protect, rt, protection.Hooks{Main: s.script.note("protect")})
		hooks := protection.Hooks{Main: s.restoreOne}
		if rt == karbor.ServerType {
			hooks = protection.Hooks{Complete: s.restoreOne}
		}
		s.script.set(karbor.RestoreOperation, rt, hooks)
	}
	s.restart()
	cp := s.until(s.protect(s.plan(server("s1"), server("s2"), volume("v3"))))
	if cp.Status != karbor.CheckpointAvailable {
		t.Fatalf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
	s.checkpoint = cp.ID
	return s
}

// restoreOne notes what is restored, and what a server finds of its children.
func (s *shop) restoreOne(ctx context.Context, c *protection.Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restored = append(s.restored, c.Node.ID)
	if c.Node.Type == karbor.ServerType {
		for _, child := range []string{"v1", "v2"} {
			s.children[c.Node.ID+" "+child] = c.NewResources.ID(volumeKey(child))
		}
	}
	if power := c.Text("restore_power"); power != "" {
		c.Mapped("It is " + power + ".")
	}
	return c.NewResources.Set(ctx, "new-"+c.Node.ID)
}

func volumeKey(id string) karbor.NodeKey { return karbor.MakeNodeKey(volume(id), "") }

func (s *shop) ask(c karbor.RestoreChoices) (karbor.Restore, error) {
	return s.service.Restore(s.t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: s.checkpoint, Choices: c,
	})
}

// restore restores, and gives what was restored, sorted.
func (s *shop) restore(c karbor.RestoreChoices) (karbor.Restore, []string) {
	s.t.Helper()
	s.mu.Lock()
	s.restored = nil
	s.mu.Unlock()
	r, err := s.ask(c)
	if err != nil {
		s.t.Fatal(err)
	}
	if r = s.untilRestored(r.ID); r.Status != karbor.RestoreSuccess {
		s.t.Fatalf("the restore is %s: %v", r.Status, r.ResourcesReason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return r, slices.Clone(s.restored)
}

const (
	server1 = "OS::Nova::Server#s1"
	server2 = "OS::Nova::Server#s2"
	volume1 = "OS::Cinder::Volume#v1"
	volume2 = "OS::Cinder::Volume#v2"
	volume3 = "OS::Cinder::Volume#v3"
)

func TestOnlyTheChosenResourcesAreRestored(t *testing.T) {
	s := newShop(t)
	for _, c := range []struct {
		choices  karbor.RestoreChoices
		want     string
		children string
	}{
		{karbor.RestoreChoices{}, "i1 s1 s2 v1 v2 v3", "new-v1 new-v2"},
		{karbor.RestoreChoices{Resources: []string{volume3}}, "v3", ""},
		{karbor.RestoreChoices{Resources: []string{server1}}, "i1 s1 v1 v2", "new-v1 new-v2"},
		{karbor.RestoreChoices{Resources: []string{server1, volume1, volume2}, Dependents: karbor.DependentsRefuse}, "i1 s1 v1 v2", "new-v1 new-v2"},
		{karbor.RestoreChoices{Resources: []string{server1}, Dependents: karbor.DependentsExisting}, "i1 s1", "v1 v2"},
		{karbor.RestoreChoices{Resources: []string{server1, volume1}, Dependents: karbor.DependentsExisting}, "i1 s1 v1", "new-v1 v2"},
		{karbor.RestoreChoices{Resources: []string{"OS::Glance::Image#i1"}}, "i1", ""},
	} {
		s.mu.Lock()
		clear(s.children)
		s.mu.Unlock()
		r, restored := s.restore(c.choices)
		slices.Sort(restored)
		if got := strings.Join(restored, " "); got != c.want {
			t.Errorf("%v restores %s; want %s", c.choices, got, c.want)
		}
		if got := strings.TrimSpace(s.children["s1 v1"] + " " + s.children["s1 v2"]); got != c.children {
			t.Errorf("%v: server s1 gets the volumes %q; want %q", c.choices, got, c.children)
		}
		if len(r.ResourcesStatus) != len(restored) {
			t.Errorf("%v: the restore tells of %v", c.choices, slices.Collect(maps.Keys(r.ResourcesStatus)))
		}
		if diff := cmp.Diff(c.choices, r.Choices); diff != "" {
			t.Errorf("the restore has other choices than were asked for: %s", diff)
		}
	}
}

func TestChoicesThatCannotBeKeptAreRefusedBeforeAnythingIsStored(t *testing.T) {
	s := newShop(t)
	s.gone["v2"] = true
	stage := func(keys ...string) karbor.RestoreStage { return karbor.RestoreStage{Resources: keys} }
	for _, c := range []struct {
		choices karbor.RestoreChoices
		want    string
	}{
		{karbor.RestoreChoices{Resources: []string{"OS::Nova::Server#s9"}}, `"OS::Nova::Server#s9"`},
		{karbor.RestoreChoices{Dependents: karbor.DependentsRefuse}, "name them in resources"},
		{karbor.RestoreChoices{Resources: []string{server1, volume1}, Dependents: karbor.DependentsRefuse}, `add "OS::Cinder::Volume#v2"`},
		{karbor.RestoreChoices{Resources: []string{server1}, Dependents: karbor.DependentsExisting}, "v2, which is not there any more"},
		{karbor.RestoreChoices{Mapping: map[string]any{"colours": map[string]any{"red": "blue"}}}, `"colours"`},
		{karbor.RestoreChoices{Mapping: map[string]any{"power": "flying"}}, "restore_power"},
		{karbor.RestoreChoices{Stages: []karbor.RestoreStage{stage(server1), stage(volume1)}}, "later stage"},
		{karbor.RestoreChoices{Stages: []karbor.RestoreStage{stage(server1), stage(server1)}}, "twice"},
		{karbor.RestoreChoices{Stages: []karbor.RestoreStage{stage("OS::Nova::Server#s9")}}, "no resource"},
		{karbor.RestoreChoices{Resources: []string{volume3}, Stages: []karbor.RestoreStage{stage(server1)}}, "in the restore"},
		{karbor.RestoreChoices{Stages: []karbor.RestoreStage{{Resources: []string{server1}, Delay: 86401}}}, "86401"},
		{karbor.RestoreChoices{Stages: make([]karbor.RestoreStage, 51)}, "more than 50"},
	} {
		_, err := s.ask(c.choices)
		if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v gives %v; want it to speak of %s", c.choices, err, c.want)
		}
	}
	_, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: s.checkpoint, Target: otherCloud, Auth: &openstack.PasswordAuth{Username: "u", Password: "p"},
		Choices: karbor.RestoreChoices{Resources: []string{server2}, Dependents: karbor.DependentsExisting},
	})
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "another cloud") {
		t.Errorf("originals in another cloud give %v", err)
	}
	if all, err := s.store.RunningOperations(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("operations run: %v, %v", all, err)
	}
}

func TestStagesArePutTogetherOneAfterTheOther(t *testing.T) {
	s := newShop(t)
	for _, order := range [][2]string{{server1, server2}, {server2, server1}} {
		_, restored := s.restore(karbor.RestoreChoices{Stages: []karbor.RestoreStage{
			{Resources: []string{order[0]}}, {Resources: []string{order[1]}, Delay: 1},
		}})
		first, second := order[0][len(order[0])-2:], order[1][len(order[1])-2:]
		if slices.Index(restored, first) > slices.Index(restored, second) {
			t.Errorf("%s came before %s: %v", second, first, restored)
		}
	}
}

func TestAMappingReachesThePluginsUnlessAParameterSaysElse(t *testing.T) {
	s := newShop(t)
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: s.checkpoint,
		Parameters: karbor.Parameters{server2: {"restore_power": "running"}},
		Choices:    karbor.RestoreChoices{Mapping: map[string]any{"power": "stopped"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.untilRestored(r.ID)
	progress, err := s.service.RestoreProgress(t.Context(), s.caller(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, p := range progress {
		got[p.ID] = p.Mapped
	}
	if diff := cmp.Diff([]string{"It is stopped."}, got["s1"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"It is running."}, got["s2"]); diff != "" {
		t.Error(diff)
	}
	kept, err := s.store.Restore(t.Context(), projectID, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(karbor.Parameters{server2: {"restore_power": "running"}}, kept.Parameters); diff != "" {
		t.Errorf("the restore shows other parameters than were given: %s", diff)
	}
}
