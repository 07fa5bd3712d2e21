package restores

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMappingOfARestoreGoesOverItsProfile(t *testing.T) {
	profile := map[string]any{"flavors": map[string]any{"*": "small", "big": "huge"}, "power": "stopped", "name_prefix": "dr-"}
	got := overlaid(profile, map[string]any{"flavors": map[string]any{"big": "medium"}, "power": "running", "networks": map[string]any{"*": "n"}})
	want := map[string]any{"flavors": map[string]any{"*": "small", "big": "medium"}, "power": "running", "name_prefix": "dr-", "networks": map[string]any{"*": "n"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"*": "small", "big": "huge"}, profile["flavors"]); diff != "" {
		t.Errorf("the profile was changed:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"power": "stopped"}, overlaid(nil, map[string]any{"power": "stopped"})); diff != "" {
		t.Error(diff)
	}
}
