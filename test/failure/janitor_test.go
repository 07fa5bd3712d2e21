package failure

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lose removes the database, as a broken disk does. The keys and the bank stay.
func (s *site) lose(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "state", "karbor.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no database: %v", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// lacking leaves the trusts out: who has lost the database can't give them back, and they
// end by themselves.
func lacking(lines []string, kind string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, kind+" ") })
}

func TestWhatALostDatabaseKnewOfIsRemovedFromTheCloud(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	data := u.volume("data")
	before := s.idle()
	plan := u.plan(bankProvider, data)
	s.hold(moment{"the image of the temporary volume", "POST", "/volumes/[^/]+/action$", true})
	id := u.protect(bankProvider, plan)
	s.struck(1)
	s.kill()
	s.cloud.Faults().Clear()
	if now := s.inventory(); len(now) < len(before)+3 {
		t.Fatalf("there is no snapshot, volume and image to lose:\n%s", cmp.Diff(before, now))
	}
	s.lose(t)
	s.sweeping = true
	s.start()
	var now []string
	await(t, "what is left in the cloud to go", func() bool {
		now = lacking(s.inventory(), "trusts")
		// An upload can't be tagged: the image of one that was cut off before it could be
		// marked stays, and is the operator's to remove.
		return len(lacking(now, "images")) == len(lacking(before, "images"))
	})
	if diff := cmp.Diff(lacking(before, "images"), lacking(now, "images")); diff != "" {
		t.Errorf("the cloud has changed (-before +now):\n%s", diff)
	}
	if cp := u.settled(bankProvider, id); cp["status"] != "error" {
		t.Errorf("the checkpoint is %v", cp)
	}
}

// TestJanitorLeavesAloneWhatIsUnderWay has it look all the time, however young things are,
// while operations run, fail and are killed.
func TestJanitorLeavesAloneWhatIsUnderWay(t *testing.T) {
	s := newSite(t, func(s *site) { s.sweeping = true })
	u := s.tenant("demo")
	data := u.volume("data")
	before := s.idle()
	plan := u.plan(bankProvider, data)
	for _, m := range []moment{
		{"the snapshot that is made", "POST", "/snapshots$", true},
		{"the bytes", "GET", ofBytes, false},
	} {
		s.hold(m)
		id := u.protect(bankProvider, plan)
		s.struck(1)
		s.kill()
		s.cloud.Faults().Clear()
		s.start()
		if cp := u.settled(bankProvider, id); cp["status"] != "available" {
			t.Fatalf("killed at %s, the checkpoint is %v", m.name, cp)
		}
		s.same(t, before)
	}
}
