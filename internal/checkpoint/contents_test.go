package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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

// missing gives what is missing of the sample.
func missing(t *testing.T, cs *Checkpoints) ([]string, error) {
	t.Helper()
	o, err := cs.Overview(t.Context(), project, cpID)
	must(t, err)
	return cs.Missing(t.Context(), o)
}

func TestWhatIsLostWholeIsMissed(t *testing.T) {
	for name, sealer := range map[string]Sealer{"in the clear": nil, "sealed": newRing(t)} {
		for _, lost := range [][]string{nil, {listedDocument}, {listedManifest}, {listedManifest, listedDocument}} {
			t.Run(name, func(t *testing.T) {
				m, cs := whole(t, sealer)
				for _, key := range lost {
					must(t, m.Delete(t.Context(), nodesPrefix(project, cpID)+key))
				}
				got, err := missing(t, cs)
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

func TestWhoHasReadTheStatesReadsNoneAgainToLookWhatIsMissing(t *testing.T) {
	const checkpoints = 3
	c := newClock()
	faulty := banktest.NewFaulty(memory(c))
	cs := open(t, faulty, c, "a")
	for n := range checkpoints {
		cp := other(karbor.NewID(), time.Duration(n)*time.Minute)
		must(t, cs.Create(t.Context(), cp))
		documents, err := cs.Documents(project, cp.ID, volumeNode)
		must(t, err)
		must(t, documents.CreateJSON(t.Context(), "metadata", "x"))
		must(t, cs.SetState(t.Context(), project, cp.ID, karbor.CheckpointAvailable, Change{}))
	}
	before := len(faulty.Calls())
	must(t, cs.OverviewsAfter(t.Context(), "", func(o Overview, err error) error {
		must(t, err)
		_, err = cs.Missing(t.Context(), o)
		return err
	}))
	counts := map[string]int{}
	for _, call := range faulty.Calls()[before:] {
		counts[fmt.Sprint(call.Method, " ", strings.SplitN(call.Key, "/", 3)[1])]++
	}
	// One listing of all states, and of each checkpoint its state, its list and a listing of what it has.
	want := map[string]int{"list states": 1, "get states": checkpoints, "get checkpoints": checkpoints, "list checkpoints": checkpoints}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
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
		if _, err := missing(t, cs); !errors.As(err, new(*DamageError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := m.Snapshot()[stateKey(project, cpID, 2)]
	foreign := strings.Replace(before, `"contents":"`, `"contents":"../`, 1)
	must(t, m.Put(t.Context(), stateKey(project, cpID, 2), strings.NewReader(foreign), int64(len(foreign))))
	if _, err := missing(t, cs); !errors.As(err, new(*DamageError)) {
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
	if _, err := missing(t, closed); !errors.As(err, new(*ClosedError)) {
		t.Errorf("without the key: %v", err)
	}
	forged := `{"layout":1,"objects":[]}`
	must(t, m.Put(t.Context(), list, strings.NewReader(forged), int64(len(forged))))
	if _, err := missing(t, cs); !errors.As(err, new(*DamageError)) {
		t.Errorf("forged in the clear: %v", err)
	}
	changed := strings.Replace(text, `"box":"`, `"box":"AAAA`, 1)
	must(t, m.Put(t.Context(), list, strings.NewReader(changed), int64(len(changed))))
	if _, err := missing(t, cs); !errors.As(err, new(*DamageError)) {
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

// interrupted is a bank in which something happens just before a key is asked for.
type interrupted struct {
	bank.Bank
	key string
	do  func()
}

func (i *interrupted) Stat(ctx context.Context, key string) (bank.Info, error) {
	if do := i.do; key == i.key && do != nil {
		i.do = nil
		do()
	}
	return i.Bank.Stat(ctx, key)
}

// The listing of the states lags behind those who delete, as that of a Swift does.
func TestNothingIsMissingOfWhatIsBeingDeletedWhereListingsLag(t *testing.T) {
	for name, swept := range map[string]bool{"while it is swept": false, "swept between two looks": true} {
		t.Run(name, func(t *testing.T) {
			m, cs := whole(t, nil)
			lagging := banktest.NewFaulty(m)
			lagging.Hide(stateKey(project, cpID, 3))
			b := &interrupted{Bank: forgetful{lagging}, key: stateKey(project, cpID, 3)}
			reader, err := Open(t.Context(), b, Options{Now: newClock().Now})
			must(t, err)

			must(t, m.Delete(t.Context(), inBank(t, m)))
			if err := reader.Whole(t.Context(), project, cpID); !errors.As(err, new(*DamageError)) {
				t.Errorf("nobody deletes it: %v", err)
			}
			must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
			if swept {
				b.do = func() { must(t, cs.Purge(t.Context(), project, cpID)) }
			}
			must(t, reader.Whole(t.Context(), project, cpID))
			if b.do != nil {
				t.Error("nobody asked for the next state")
			}
		})
	}
}

func TestAStateThatCannotBeAskedForIsNoDamage(t *testing.T) {
	for _, nth := range []int{1, 2} {
		m, _ := whole(t, nil)
		must(t, m.Delete(t.Context(), inBank(t, m)))
		faulty := banktest.NewFaulty(m)
		reader, err := Open(t.Context(), faulty, Options{Now: newClock().Now})
		must(t, err)
		faulty.Add(banktest.Fault{Method: banktest.Stat, Nth: nth})
		if err := reader.Whole(t.Context(), project, cpID); !errors.Is(err, banktest.ErrFault) {
			t.Errorf("call %d: %v", nth, err)
		}
	}
}

func TestAListOfContentsIsMadeInFewListingsHoweverMuchDataThereIs(t *testing.T) {
	const (
		chunks = 3000
		first  = "volume/00112233445566778899aabbccddeeff/" // of a writer that has died
		second = "volume/ffeeddccbbaa99887766554433221100/"
	)
	c := newClock()
	m := memory(c)
	faulty := banktest.NewFaulty(m)
	cs := openSealed(t, faulty, c, "a", nil)
	must(t, cs.Create(t.Context(), sample()))
	must(t, addDocument(t.Context(), cs))
	data, err := cs.Data(project, cpID, volumeNode)
	must(t, err)
	for _, writer := range []string{first, second} {
		for n := range chunks {
			must(t, data.Create(t.Context(), writer+sequence(n+1), strings.NewReader("x"), 1))
		}
	}
	want := []string{listedManifest, "volume/" + volumeID + "/data/volume2/manifest", listedDocument}
	for _, key := range []string{"volume/manifest", "volume2/manifest"} {
		must(t, data.Create(t.Context(), key, strings.NewReader("{}"), 2))
	}

	before := listings(faulty)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{Size: 27}))
	// A page for each writer, and one for the rest.
	if n := listings(faulty) - before; n != 3 {
		t.Errorf("becoming available took %d listings", n)
	}
	s, err := cs.newest(t.Context(), project, cpID)
	must(t, err)
	got, err := cs.readContents(t.Context(), s)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	before = listings(faulty)
	must(t, cs.Whole(t.Context(), project, cpID))
	if n := listings(faulty) - before; n != 3 {
		t.Errorf("to look for it took %d listings", n)
	}
}

// listings counts the listings of what checkpoints have.
func listings(f *banktest.Faulty) int {
	n := 0
	for _, call := range f.Calls() {
		if call.Method == banktest.List && strings.HasSuffix(call.Key, "/nodes/") {
			n++
		}
	}
	return n
}

func TestListingsGoOnPastTheDataOfAWriterOnly(t *testing.T) {
	for key, want := range map[string]string{
		"volume/1/data/volume/00ff/00000001":         "volume/1/data/volume/00ff/~",
		"volume/1/data/volume/00ff/segment/00000001": "volume/1/data/volume/00ff/~",
		"volume/1/data/volume/manifest":              "volume/1/data/volume/manifest",
		"volume/1/documents/data/a/b/c":              "volume/1/documents/data/a/b/c",
		"pod/data/documents/metadata":                "pod/data/documents/metadata",
		"volume/1@role/data/volume/00ff/00000001":    "volume/1@role/data/volume/00ff/~",
	} {
		if got := pastData(key); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
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
