package project_test

import (
	"slices"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestProjectTellsOnlyWhatIsAbsent(t *testing.T) {
	p, err := project.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Types(), []karbor.ResourceType{karbor.ProjectType}) {
		t.Errorf("types are %v", p.Types())
	}
	node := &karbor.Node{Resource: karbor.Resource{Type: karbor.ProjectType, ID: "p"}}
	if told := protectiontest.Quiet(t, p, node); len(told) > 0 {
		t.Errorf("of a whole project it tells %q", told)
	}
	if err := protection.WithAbsent(node, map[karbor.ResourceType]string{karbor.ShareType: "the cloud has none"}); err != nil {
		t.Fatal(err)
	}
	want := "Nothing of type OS::Manila::Share was protected: the cloud has none."
	if told := protectiontest.Quiet(t, p, node); !slices.Equal(told, []string{want, want}) { // protect and restore
		t.Errorf("it tells %q", told)
	}
}
