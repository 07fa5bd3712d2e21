package fabric

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type thing struct {
	Name string            `json:"name"`
	Tags map[string]string `json:"tags"`
}

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreKeepsDocumentsAndTheirOrderOverARestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := NewCollection[thing](s, "things")
	for _, id := range []string{"z", "a", "m"} {
		c.Put(id, thing{Name: id})
	}
	c.Put("z", thing{Name: "z again"})
	c.Delete("a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c = NewCollection[thing](openStore(t, dir), "things")
	want := []thing{{Name: "z again"}, {Name: "m"}}
	if diff := cmp.Diff(want, c.List(nil)); diff != "" {
		t.Error(diff)
	}
}

func TestStoreThatIsNeverClosedLosesNothing(t *testing.T) {
	dir := t.TempDir()
	c := NewCollection[thing](openStore(t, dir), "things")
	c.Put("a", thing{Name: "a"})
	c.Put("b", thing{Name: "b"})
	c.Delete("a")
	again := NewCollection[thing](openStore(t, dir), "things")
	if diff := cmp.Diff([]thing{{Name: "b"}}, again.List(nil)); diff != "" {
		t.Error(diff)
	}
}

func TestStoreDropsATornLastLineOnly(t *testing.T) {
	dir := t.TempDir()
	c := NewCollection[thing](openStore(t, dir), "things")
	c.Put("a", thing{Name: "a"})
	c.Put("b", thing{Name: "b"})
	path := filepath.Join(dir, journalName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	again := NewCollection[thing](openStore(t, dir), "things")
	again.Put("c", thing{Name: "c"})
	third := NewCollection[thing](openStore(t, dir), "things")
	if diff := cmp.Diff([]thing{{Name: "a"}, {Name: "c"}}, third.List(nil)); diff != "" {
		t.Error(diff)
	}
}

func TestCollectionGivesCopies(t *testing.T) {
	c := NewCollection[thing](openStore(t, t.TempDir()), "things")
	c.Put("a", thing{Tags: map[string]string{"k": "v"}})
	got, _ := c.Get("a")
	got.Tags["k"] = "changed"
	again, _ := c.Get("a")
	if again.Tags["k"] != "v" {
		t.Error("a change to a copy reached the store")
	}
}

func TestUpdateThatFailsKeepsTheOldDocument(t *testing.T) {
	c := NewCollection[thing](openStore(t, t.TempDir()), "things")
	c.Put("a", thing{Name: "old"})
	_, found, err := c.Update("a", func(v *thing) error {
		v.Name = "new"
		return os.ErrInvalid
	})
	if got, _ := c.Get("a"); !found || err == nil || got.Name != "old" {
		t.Errorf("found %v, error %v, document %q", found, err, got.Name)
	}
	if _, found, _ := c.Update("none", func(*thing) error { return nil }); found {
		t.Error("a document that isn't there was updated")
	}
}

func TestStoreEqualsAMapAfterAnyChangesAndRestarts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "store")
		if err != nil {
			rt.Fatal(err)
		}
		s, err := OpenStore(dir)
		if err != nil {
			rt.Fatal(err)
		}
		c, model := NewCollection[thing](s, "things"), map[string]string{}
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			id := ids.Draw(rt, "id")
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				model[id] = rapid.String().Draw(rt, "name")
				c.Put(id, thing{Name: model[id]})
			case 2:
				delete(model, id)
				c.Delete(id)
			case 3:
				if rapid.Bool().Draw(rt, "closed") {
					if err := s.Close(); err != nil {
						rt.Fatal(err)
					}
				}
				if s, err = OpenStore(dir); err != nil {
					rt.Fatal(err)
				}
				c = NewCollection[thing](s, "things")
			}
		}
		got := map[string]string{}
		for id := range model {
			v, ok := c.Get(id)
			if !ok {
				rt.Fatalf("%s is lost", id)
			}
			got[id] = v.Name
		}
		if diff := cmp.Diff(model, got); diff != "" || len(c.List(nil)) != len(model) {
			rt.Error(diff, len(c.List(nil)))
		}
	})
}
