package project_test

import (
	"slices"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestProjectCostsNothing(t *testing.T) {
	p, err := project.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Types(), []karbor.ResourceType{karbor.ProjectType}) {
		t.Errorf("types are %v", p.Types())
	}
	protectiontest.Idle(t, p, karbor.ProjectType)
}
