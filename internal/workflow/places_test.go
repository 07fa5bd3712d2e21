package workflow_test

import (
	"testing"

	"github.com/karbor/karbor/internal/workflow"
)

func TestAPoolHasThePlacesOfItsNameOrOfItsKind(t *testing.T) {
	o := workflow.Options{Limits: map[string]int{"hooks": 64, "main/a": 2}, Default: 16}
	for pool, want := range map[string]int{"hooks/a": 64, "hooks": 64, "main/a": 2, "main/b": 16, "": 16, "other/hooks": 16} {
		if got := o.Places(pool); got != want {
			t.Errorf("pool %q has %d places, want %d", pool, got, want)
		}
	}
}
