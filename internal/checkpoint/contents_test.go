package checkpoint

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

const (
	listedDocument = "volume/" + volumeID + "/documents/metadata"
	listedManifest = "volume/" + volumeID + "/data/volume/manifest"
)

// whole makes a bank with an available checkpoint that has a document and a stream.
func whole(t *testing.T, s Sealer) (*banktest.Memory, *Checkpoints) {
	t.Helper()
	c := newClock()
	m := memory(c)
	cs := openSealed(t, m, c, "a", s)
	must(t, cs.Create(t.Context(), sample()))
	must(t, addDocument(t.Context(), cs))
	data, err := cs.Data(project, cpID, volumeNode)
	must(t, err)
	writeData(t, data)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{Size: 27}))
	return m, cs
}

// inBank gives the key of the list of contents.
func inBank(t *testing.T, m *banktest.Memory) string {
	t.Helper()
	for key := range m.Snapshot() {
		if strings.Contains(key, "/contents/") {
			return key
		}
	}
	t.Fatal("there is no list of contents")
	return ""
}

func TestWhatIsLostWholeIsMissed(t *testing.T) {
	for name, sealer := range map[string]Sealer{"in the clear": nil, "sealed": newRing(t)} {
		for _, lost := range [][]string{nil, {listedDocument}, {listedManifest}, {listedManifest, listedDocument}} {
			t.Run(name, func(t *testing.T) {
				m, cs := whole(t, sealer)
				for _, key := range lost {
					must(t, m.Delete(t.Context(), nodesPrefix(project, cpID)+key))
				}
				got, err := cs.Missing(t.Context(), project, cpID)
				must(t, err)
				if diff := cmp.Diff(lost, got); diff != "" {
					t.Error(diff)
				}
				err = cs.Whole(t.Context(), project, cpID)
				if damage, is := errors.AsType[*DamageError](err); is != (len(lost) > 0) || is && !strings.Contains(damage.Error(), lost[0]) {
					t.Errorf("whole: %v", err)
				}
			})
		}
	}
}

func TestLostAndChangedListsOfContentsAreDamage(t *testing.T) {
	m, cs := whole(t, nil)
	list := inBank(t, m)
	good := m.Snapshot()[list]
	for name, text := range map[string]string{
		"cut off":        good[:len(good)-1],
		"another layout": strings.Replace(good, `"layout":1`, `"layout":2`, 1),
		"another key":    strings.Replace(good, "/documents/", "/nothing/", 1),
		"a way out":      strings.Replace(good, "/documents/metadata", "/documents/../../x", 1),
		"twice":          strings.Replace(good, `["`, `["`+listedManifest+`","`, 1),
	} {
		must(t, m.Put(t.Context(), list, strings.NewReader(text), int64(len(text))))
		if _, err := cs.Missing(t.Context(), project, cpID); !errors.As(err, new(*DamageError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := m.Snapshot()[stateKey(project, cpID, 2)]
	foreign := strings.Replace(before, `"contents":"`, `"contents":"../`, 1)
	must(t, m.Put(t.Context(), stateKey(project, cpID, 2), strings.NewReader(foreign), int64(len(foreign))))
	if _, err := cs.Missing(t.Context(), project, cpID); !errors.As(err, new(*DamageError)) {
		t.Errorf("a name that is none: %v", err)
	}
	must(t, m.Put(t.Context(), stateKey(project, cpID, 2), strings.NewReader(before), int64(len(before))))
	must(t, m.Delete(t.Context(), list))
	if err := cs.Whole(t.Context(), project, cpID); !errors.As(err, new(*DamageError)) {
		t.Errorf("it is gone: %v", err)
	}
	// Nobody needs it to read what is there.
	if _, err := cs.Get(t.Context(), project, cpID); err != nil {
		t.Error(err)
	}
}

func TestNobodyForgesOrReadsASealedListOfContents(t *testing.T) {
	m, cs := whole(t, newRing(t))
	list := inBank(t, m)
	text := m.Snapshot()[list]
	if strings.Contains(text, "metadata") {
		t.Errorf("the list lies in the clear: %s", text)
	}
	closed, err := Open(t.Context(), m, Options{Now: newClock().Now})
	must(t, err)
	if _, err := closed.Missing(t.Context(), project, cpID); !errors.As(err, new(*ClosedError)) {
		t.Errorf("without the key: %v", err)
	}
	forged := `{"layout":1,"objects":[]}`
	must(t, m.Put(t.Context(), list, strings.NewReader(forged), int64(len(forged))))
	if _, err := cs.Missing(t.Context(), project, cpID); !errors.As(err, new(*DamageError)) {
		t.Errorf("forged in the clear: %v", err)
	}
	changed := strings.Replace(text, `"box":"`, `"box":"AAAA`, 1)
	must(t, m.Put(t.Context(), list, strings.NewReader(changed), int64(len(changed))))
	if _, err := cs.Missing(t.Context(), project, cpID); !errors.As(err, new(*DamageError)) {
		t.Errorf("changed: %v", err)
	}
}

// forgetful is a bank whose listings of what checkpoints have show nothing yet.
type forgetful struct{ bank.Bank }

func (f forgetful) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if strings.Contains(prefix, "/nodes/") {
		return nil, nil
	}
	return f.Bank.List(ctx, prefix, marker, limit)
}

func TestWhatAListingDoesNotShowYetIsNotMissing(t *testing.T) {
	m, _ := whole(t, nil)
	cs, err := Open(t.Context(), forgetful{m}, Options{Now: newClock().Now})
	must(t, err)
	must(t, cs.Whole(t.Context(), project, cpID))
}

func TestNothingIsMissingOfWhatIsBeingDeleted(t *testing.T) {
	m, cs := whole(t, nil)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, m.Delete(t.Context(), nodesPrefix(project, cpID)+listedDocument))
	must(t, cs.Whole(t.Context(), project, cpID))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	if err := cs.Whole(t.Context(), project, cpID); err == nil {
		t.Error("a state that follows has lost the list")
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	must(t, cs.Whole(t.Context(), project, cpID))
}

func TestACheckpointWithNothingHasNoListOfContents(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	must(t, cs.CreateAvailable(t.Context(), other(volumeID, 0), Change{}))
	for key := range m.Snapshot() {
		if strings.Contains(key, "/contents/") {
			t.Errorf("there is %s", key)
		}
	}
}
