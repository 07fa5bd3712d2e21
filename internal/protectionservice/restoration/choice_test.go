package restoration

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// keys gives the keys of a graph's nodes, sorted.
func keys(g *karbor.Graph) []karbor.NodeKey {
	var out []karbor.NodeKey
	for _, n := range g.Nodes() {
		out = append(out, n.Key())
	}
	slices.Sort(out)
	return out
}

func TestAChoiceTakesWhatItsDependentsSay(t *testing.T) {
	g, all := chain(2) // the server s0 needs v0 and s1, which needs v1
	for _, test := range []struct {
		resources  []string
		dependents karbor.DependentsChoice
		want       []karbor.NodeKey
		missing    []karbor.NodeKey
	}{
		{nil, "", keys(g), nil},
		{all[:1], "", keys(g), nil},
		{all[:1], karbor.DependentsRestore, keys(g), nil},
		{all[:1], karbor.DependentsExisting, []karbor.NodeKey{"server/s0"}, []karbor.NodeKey{"volume/v0", "server/s1"}},
		{all[2:], karbor.DependentsRefuse, []karbor.NodeKey{"server/s1", "volume/v1"}, nil},
	} {
		got, err := Choose(g, karbor.RestoreChoices{Resources: test.resources, Dependents: test.dependents})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, keys(got)); diff != "" {
			t.Errorf("%v with %q: %s", test.resources, test.dependents, diff)
		}
		var missing []karbor.NodeKey
		for _, a := range Missing(g, got) {
			missing = append(missing, a.Key())
		}
		if diff := cmp.Diff(test.missing, missing); diff != "" {
			t.Errorf("missing of %v with %q: %s", test.resources, test.dependents, diff)
		}
	}
}

func TestAChoiceThatCannotBeIsRefused(t *testing.T) {
	g, all := chain(2)
	for name, c := range map[string]karbor.RestoreChoices{
		"an unknown resource":         {Resources: []string{"OS::Nova::Server#none"}},
		"a missing dependent":         {Resources: all[:1], Dependents: karbor.DependentsRefuse},
		"dependents without a choice": {Dependents: karbor.DependentsRestore},
	} {
		if _, err := Choose(g, c); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckParameters(g, karbor.Parameters{"OS::Nova::Server#none": {}}); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("parameters of a resource that is not there: %v", err)
	}
	if err := CheckParameters(g, karbor.Parameters{"OS::Nova::Server": {}, all[0]: {}}); err != nil {
		t.Error(err)
	}
}

func TestWhatStandsOnWhatIsWholeStays(t *testing.T) {
	g, _ := chain(2)
	row := func(key karbor.NodeKey, started bool, state karbor.ResourceState) store.ResourceRecord {
		return store.ResourceRecord{Key: key, Started: started, State: state}
	}
	kept := Kept(g, []store.ResourceRecord{
		row("server/s0", true, karbor.ResourceRestoring), row("volume/v0", true, karbor.ResourceRestoring),
		row("server/s1", false, karbor.ResourcePending), row("volume/v1", true, karbor.ResourceAvailable),
	})
	if diff := cmp.Diff(map[karbor.NodeKey]bool{"server/s0": true, "volume/v1": true}, kept); diff != "" {
		t.Error(diff)
	}
}
