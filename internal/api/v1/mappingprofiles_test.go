package v1_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

const profileBody = `{"mapping_profile": {"name": "NAME", "description": "d", "mapping": {"power": "stopped", "flavors": {"*": "small"}}}}`

// profile makes a mapping profile and gives its id.
func (w *world) profile(t *testing.T, token string) string {
	t.Helper()
	body := strings.ReplaceAll(profileBody, "NAME", karbor.NewID())
	return w.call(t, token, "POST", "/mapping_profiles", body, v15).want(t, 200).get("mapping_profile.id").(string)
}

// profileItems gives a call of every route of mapping profiles.
func (w *world) profileItems(t *testing.T, token string) []item {
	t.Helper()
	one := "/mapping_profiles/" + w.profile(t, token)
	return []item{
		{method: "POST", path: "/mapping_profiles", body: strings.ReplaceAll(profileBody, "NAME", karbor.NewID()), writes: true, header: v15},
		{method: "GET", path: "/mapping_profiles", header: v15},
		{method: "GET", path: one, byID: true, crosses: true, header: v15},
		{method: "DELETE", path: one, byID: true, writes: true, crosses: true, header: v15},
	}
}

func TestRestoreTakesItsMappingFromAProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	checkpoint, profile := w.checkpoint(t, "member"), w.profile(t, "member")
	body := `{"restore": {"provider_id": "` + provider + `", "checkpoint_id": "` + checkpoint + `", "parameters": {}, "profile": "PROFILE", "mapping": {"power": "running"}}}`
	id := w.call(t, "member", "POST", "/restores", strings.ReplaceAll(body, "PROFILE", profile), v15).want(t, 200).get("restore.id").(string)
	shown := w.call(t, "member", "GET", "/restores/"+id, "", v15).want(t, 200).get("restore.mapping").(map[string]any)
	flavors, _ := shown["flavors"].(map[string]any)
	if shown["power"] != "running" || flavors["*"] != "small" {
		t.Errorf("the restore maps %v", shown)
	}
	for _, other := range []string{w.profile(t, "stranger"), unknown, "no-id"} {
		w.call(t, "member", "POST", "/restores", strings.ReplaceAll(body, "PROFILE", other), v15).want(t, 400, "badRequest", "profile")
	}
	w.call(t, "member", "POST", "/restores", strings.ReplaceAll(body, "PROFILE", profile), v14).want(t, 400, "badRequest", "1.5")
}

func TestMappingProfileHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := strings.ReplaceAll(profileBody, "NAME", "east")
	w.call(t, "member", "POST", "/mapping_profiles", body, v15).want(t, 200)
	w.call(t, "member", "POST", "/mapping_profiles", body, v15).want(t, 409, "conflictingRequest", "east")
	w.call(t, "stranger", "POST", "/mapping_profiles", body, v15).want(t, 200)
	w.call(t, "member", "POST", "/mapping_profiles", `{"mapping_profile": {"name": "x", "mapping": {"colour": "red"}}}`, v15).want(t, 400, "badRequest")
}
