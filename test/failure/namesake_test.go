package failure

import (
	"slices"
	"strings"
	"testing"
)

// TestResourceThatAPlanListsTwiceIsProtectedOnce names an image twice, by two names, and beside
// it another image of the same name: each is protected once, and comes back once.
func TestResourceThatAPlanListsTwiceIsProtectedOnce(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img, namesake := u.image("disk", 100<<10), u.image("disk", 200<<10)
	again := img
	again.Name = "the same"
	before := s.idle()
	cp := u.kept(bankProvider, img, img, again, namesake)
	if kept := u.settled(bankProvider, cp)["progress"].([]any); len(kept) != 2 {
		t.Errorf("protected is %v", kept)
	}
	r := u.restored(u.restore(bankProvider, cp))
	made := r["resources_status"].(map[string]any)
	if r["status"] != "success" || len(made) != 2 || made[img.key()] != nil || made[namesake.key()] != nil {
		t.Errorf("the restore is %v", r)
	}
	u.dropped(t, r)
	s.same(t, before)
}

// TestNameThatIsTakenIsNoHindrance restores beside originals that are there still, twice.
func TestNameThatIsTakenIsNoHindrance(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img, vol := u.image("disk", 100<<10), u.volume("disk")
	cp := u.kept(bankProvider, img, vol)
	before := s.idle()
	var seen []string
	for range 2 {
		r := u.restored(u.restore(bankProvider, cp))
		if r["status"] != "success" {
			t.Fatalf("the restore is %v", r)
		}
		for key := range r["resources_status"].(map[string]any) {
			kind, id, _ := strings.Cut(key, "#")
			if slices.Contains(seen, id) || id == img.ID || id == vol.ID {
				t.Errorf("%s was taken for the restored one", key)
			}
			seen = append(seen, id)
			path := "/image/v2/images/" + id
			if kind == vol.Type {
				path = "/volume/v3/" + u.user.ProjectID + "/volumes/" + id
			}
			if a := u.cloud.Do(t, u.token, "DELETE", path, nil); a.Status >= 300 {
				t.Errorf("deleting %s: %d %s", key, a.Status, a.Body)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("restored are %q", seen)
	}
	s.same(t, before)
}
