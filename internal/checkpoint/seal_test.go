package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/format"
)

const volumeNode = karbor.NodeKey("volume/" + volumeID)

// secret is what the plug-ins' documents of the tests hold.
type secret struct {
	Name string `json:"name"`
}

// fill makes a checkpoint in error, with a document of a plug-in.
func fill(t testing.TB, cs *Checkpoints, cp karbor.Checkpoint) {
	t.Helper()
	must(t, cs.Create(t.Context(), cp))
	docs, err := cs.Documents(cp.ProjectID, cp.ID, volumeNode)
	must(t, err)
	for range 2 { // a hook runs again
		must(t, docs.CreateJSON(t.Context(), "metadata", secret{"planted " + cp.ID}))
	}
	must(t, cs.SetState(t.Context(), cp.ProjectID, cp.ID, karbor.CheckpointError,
		Change{Size: 5, Reasons: map[string]string{"OS::Cinder::Volume#" + volumeID: "planted trouble of " + cp.ID}}))
}

// readAll reads all documents of a checkpoint, and gives them as one text.
func readAll(ctx context.Context, cs *Checkpoints, project, id string) (string, error) {
	cp, err := cs.Get(ctx, project, id)
	if err != nil {
		return "", err
	}
	docs, err := cs.Documents(project, id, volumeNode)
	if err != nil {
		return "", err
	}
	var own secret
	err = docs.GetJSON(ctx, "metadata", &own)
	return fmt.Sprint(cp.ID, cp.ProjectID, cp.Plan, cp.Reasons, len(cp.Graph.Nodes()), own.Name), err
}

func ofProject(cp karbor.Checkpoint, project string) karbor.Checkpoint {
	cp.ProjectID = project
	return cp
}

// boxText is the base64 of a box.
var boxText = regexp.MustCompile(`"box":"[A-Za-z0-9+/=]*"`)

func TestSealedBankHoldsNoName(t *testing.T) {
	c := newClock()
	m := memory(c)
	r := newRing(t)
	cs := openSealed(t, m, c, "a", r)
	cp := sample()
	cp.ExtraInfo["note"] = []byte(`"planted note"`)
	cp.Plan.Parameters["OS::Cinder::Volume"]["backup_name"] = "planted parameter"
	fill(t, cs, cp)
	planted := []string{"web", "cirros", "My plan", "planted", "data", "nova", "backup_name", "created_by", "availability_zone", "OS::"}
	find := func(all map[string]string) (found []string) {
		for _, name := range planted {
			for _, text := range all {
				// In base64, three letters come up by chance.
				if strings.Contains(boxText.ReplaceAllString(text, ""), name) {
					found = append(found, name)
					break
				}
			}
		}
		return found
	}
	if found := find(m.Snapshot()); found != nil {
		t.Errorf("in the bank one can read %q", found)
	}
	if diff := cmp.Diff(planted, find(r.opened(t, m.Snapshot()))); diff != "" {
		t.Errorf("the names are not in the documents either: %s", diff)
	}
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	cp.Status, cp.Size, cp.Reasons = karbor.CheckpointError, 5, got.Reasons
	if diff := diffCheckpoint(cp, got); diff != "" || len(got.Reasons) != 1 {
		t.Errorf("%v: %s", got.Reasons, diff)
	}
}

func TestSealedCreateMayRunAgain(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := openSealed(t, m, c, "a", newRing(t))
	for range 2 {
		must(t, cs.Create(t.Context(), sample()))
	}
	another := sample()
	another.Plan.Name = "another plan"
	wantKind(t, cs.Create(t.Context(), another), karbor.Conflict)
	docs, err := cs.Documents(project, cpID, volumeNode)
	must(t, err)
	must(t, docs.CreateJSON(t.Context(), "metadata", secret{"a"}))
	must(t, docs.CreateJSON(t.Context(), "metadata", secret{"a"}))
	wantKind(t, docs.CreateJSON(t.Context(), "metadata", secret{"b"}), karbor.Conflict)
	wantKind(t, docs.GetJSON(t.Context(), "another", &secret{}), karbor.NotFound)
}

// sealedBank is a bank with checkpoints of two projects, all sealed, and the keys of
// its sealed documents.
func sealedBank(t *testing.T, c *clock, r ring) (*banktest.Memory, []string) {
	t.Helper()
	m := memory(c)
	cs := openSealed(t, m, c, "a", r)
	fill(t, cs, sample())
	fill(t, cs, other(volumeID, time.Hour))
	fill(t, cs, ofProject(sample(), foreign))
	var keys []string
	for key, text := range m.Snapshot() {
		if format.IsSealed([]byte(text)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) != 9 {
		t.Fatalf("%d documents are sealed: %v", len(keys), keys)
	}
	return m, keys
}

func put(t testing.TB, m *banktest.Memory, key, text string) {
	t.Helper()
	must(t, m.Put(t.Context(), key, strings.NewReader(text), int64(len(text))))
}

// owner gives whose document a key is.
func owner(key string) (project, id string) {
	parts := strings.Split(key, "/")
	return parts[2], parts[3]
}

func TestSealedDocumentOfAnotherPlaceIsRefused(t *testing.T) {
	c := newClock()
	r := newRing(t)
	m, keys := sealedBank(t, c, r)
	all := m.Snapshot()
	cs := openSealed(t, m, c, "b", r)
	for _, at := range keys {
		project, id := owner(at)
		for _, from := range keys {
			put(t, m, at, all[from])
			_, err := readAll(t.Context(), cs, project, id)
			_, damage := errors.AsType[*DamageError](err)
			if (err != nil) != (at != from) || damage != (at != from) {
				t.Errorf("the document %s in the place of %s: %v", from, at, err)
			}
		}
		put(t, m, at, all[at])
	}
}

func TestChangedSealedDocumentIsRefused(t *testing.T) {
	c := newClock()
	r := newRing(t)
	m, keys := sealedBank(t, c, r)
	cs := openSealed(t, m, c, "b", r)
	want, err := readAll(t.Context(), cs, project, cpID)
	must(t, err)
	for _, key := range keys {
		if p, id := owner(key); p != project || id != cpID {
			continue
		}
		text := m.Snapshot()[key]
		change := func(what, changed string) {
			put(t, m, key, changed)
			got, err := readAll(t.Context(), cs, project, cpID)
			if err == nil {
				t.Errorf("%s of %s was not told: %s, want %s", what, key, got, want)
			} else if !isUnread(err) || len(err.Error()) < 20 {
				t.Errorf("%s of %s: %v", what, key, err)
			}
		}
		for i := range len(text) * 8 {
			changed := []byte(text)
			changed[i/8] ^= 1 << (i % 8)
			change(fmt.Sprintf("flipped bit %d", i), string(changed))
		}
		for n := range len(text) {
			change(fmt.Sprintf("cut after %d bytes", n), text[:n])
		}
		change("something behind", text+" ")
		change("a new line in the box", text[:len(text)-10]+"\n"+text[len(text)-10:])
		change("another version", strings.Replace(text, "repository/1", "repository/2", 1))
		if key != descriptionKey(project, cpID) { // by which the rest is judged
			change("the text in the clear", r.opened(t, map[string]string{key: text})[key])
		}
		put(t, m, key, text)
	}
}

func TestWithoutTheKeyWhatLiesInTheClearIsKnown(t *testing.T) {
	c := newClock()
	m, _ := sealedBank(t, c, newRing(t))
	for name, s := range map[string]Sealer{"no keys": nil, "another key": ring{foreign: newDomain(t, foreign, 8)}} {
		cs := openSealed(t, m, c, "b", s)
		want := karbor.Checkpoint{
			ID: cpID, ProjectID: project, ProviderID: provider, Status: karbor.CheckpointError, Size: 5,
			Plan: karbor.PlanRecord{ID: plan, ProviderID: provider}, Graph: &karbor.Graph{}, CreatedAt: start, UpdatedAt: start,
		}
		got, err := cs.Get(t.Context(), project, cpID)
		wantKind(t, err, karbor.Unavailable)
		closed, is := errors.AsType[*ClosedError](err)
		if !is || closed.ID != cpID || karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "domain "+project) {
			t.Errorf("%s: get: %v; the tenant reads %q", name, err, karbor.Sentence(err))
		}
		if diff := diffCheckpoint(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		page, err := cs.List(t.Context(), project, Filter{PlanID: plan}, "", 10)
		must(t, err)
		if len(page.Checkpoints) != 2 || len(page.Unread) != 2 || page.Unread[cpID] == nil {
			t.Fatalf("%s: listed: %+v", name, page)
		}
		if diff := diffCheckpoint(want, page.Checkpoints[0]); diff != "" {
			t.Errorf("%s: list: %s", name, diff)
		}
		var unread, read []string
		must(t, cs.Scan(t.Context(), func(cp karbor.Checkpoint) error { read = append(read, cp.ProjectID); return nil },
			func(cp karbor.Checkpoint, _ error) { unread = append(unread, cp.ID+" "+cp.Plan.ID) }))
		if s == nil && len(unread) != 3 || s != nil && (len(unread) != 2 || !slices.Equal(read, []string{foreign})) {
			t.Errorf("%s: scan: %v, unread %v", name, read, unread)
		}
		docs, err := cs.Documents(project, cpID, volumeNode)
		must(t, err)
		wantKind(t, docs.GetJSON(t.Context(), "metadata", &secret{}), karbor.Unavailable)
		wantKind(t, docs.CreateJSON(t.Context(), "more", secret{}), karbor.Unavailable)
		if s != nil {
			wantKind(t, cs.Create(t.Context(), other(imageID, 0)), karbor.Unavailable)
		}
	}
}

func TestWithoutTheKeyACheckpointCanBeDeleted(t *testing.T) {
	c := newClock()
	m, _ := sealedBank(t, c, newRing(t))
	asked := 0
	cs, err := Open(t.Context(), m, Options{Owner: "b", Now: c.Now, Gate: func(_ context.Context, cp karbor.Checkpoint) error {
		asked++
		if cp.ID != cpID || cp.Plan.ID != plan {
			t.Errorf("the gate is asked about %+v", cp)
		}
		return nil
	}})
	must(t, err)
	must(t, cs.Lease().Acquire(t.Context()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointErrorDeleting, Change{Reasons: map[string]string{"": "in the clear"}}))
	for key, text := range m.Snapshot() {
		if strings.Contains(text, "in the clear") {
			t.Errorf("the reasons lie in the clear in %s", key)
		}
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
	if _, err := cs.Get(t.Context(), project, cpID); karbor.KindOf(err) != karbor.NotFound || asked != 3 {
		t.Errorf("%v; the gate was asked %d times", err, asked)
	}
}

func TestCheckpointFromBeforeTheKeysIsRead(t *testing.T) {
	c := newClock()
	m := memory(c)
	fill(t, open(t, m, c, "a"), sample())
	want, err := readAll(t.Context(), open(t, m, c, "a"), project, cpID)
	must(t, err)
	cs := openSealed(t, m, c, "b", newRing(t))
	got, err := readAll(t.Context(), cs, project, cpID)
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	// One that was being made when the keys came goes on, sealed from there.
	must(t, open(t, m, c, "b").Create(t.Context(), other(imageID, 0)))
	must(t, cs.Create(t.Context(), other(imageID, 0)))
	docs, err := cs.Documents(project, imageID, volumeNode)
	must(t, err)
	must(t, docs.CreateJSON(t.Context(), "metadata", secret{"x"}))
	must(t, cs.SetState(t.Context(), project, imageID, karbor.CheckpointAvailable, Change{}))
	if _, err := readAll(t.Context(), cs, project, imageID); err != nil {
		t.Error(err)
	}
}

func TestDocumentInTheClearDoesNotLookSealed(t *testing.T) {
	c := newClock()
	cs := open(t, memory(c), c, "a")
	docs, err := cs.Documents(project, cpID, volumeNode)
	must(t, err)
	wantKind(t, docs.CreateJSON(t.Context(), "x", map[string]string{"sealed": "so"}), karbor.Invalid)
	must(t, docs.CreateJSON(t.Context(), "x", map[string]string{"a": "", "sealed": "so"}))
}

// failing is a Sealer that fails.
type failing struct{ err error }

func (f failing) Seal(context.Context, string, string, []byte) ([]byte, error) { return nil, f.err }

func (f failing) Unseal(context.Context, string, string, []byte) ([]byte, error) { return nil, f.err }

func TestTroubleWithTheKeyThatMayPassIsNoMissingKey(t *testing.T) {
	c := newClock()
	m, _ := sealedBank(t, c, newRing(t))
	cs := openSealed(t, m, c, "b", failing{karbor.Transientf("Barbican does not answer")})
	_, err := cs.Get(t.Context(), project, cpID)
	if !karbor.IsTransient(err) || isUnread(err) {
		t.Errorf("get: %v", err)
	}
	if _, err := cs.List(t.Context(), project, Filter{}, "", 10); !karbor.IsTransient(err) {
		t.Errorf("list: %v", err)
	}
	if err := cs.Create(t.Context(), other(serverID, 0)); !karbor.IsTransient(err) {
		t.Errorf("create: %v", err)
	}
	if err := cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{Reasons: map[string]string{"": "x"}}); !karbor.IsTransient(err) {
		t.Errorf("reasons: %v", err)
	}
}

func TestStateOfAnotherCheckpointIsToldFromTheSealedDescription(t *testing.T) {
	c := newClock()
	r := newRing(t)
	m, _ := sealedBank(t, c, r)
	cs := openSealed(t, m, c, "b", r)
	key := stateKey(project, cpID, 2)
	put(t, m, key, strings.Replace(m.Snapshot()[key], `"plan_id":"`+plan, `"plan_id":"`+imageID, 1))
	if _, err := cs.Get(t.Context(), project, cpID); !isUnread(err) {
		t.Errorf("%v", err)
	}
}

func TestWhatWasSealedIsReadAgain(t *testing.T) {
	c := newClock()
	r := newRing(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := memory(c)
		p := papers{bank: m, sealer: r}
		both := rapid.Permutation([]string{project, foreign}).Draw(rt, "projects")
		own, other := both[0], both[1]
		key := "v1/" + rapid.StringMatching(`[a-z0-9@._-]{0,20}[a-z]`).Draw(rt, "key")
		value := rapid.MapOf(rapid.String(), rapid.String()).Draw(rt, "value")
		if err := p.create(t.Context(), own, key, value); err != nil {
			rt.Fatal(err)
		}
		if err := p.create(t.Context(), own, key, value); err != nil {
			rt.Fatal(err)
		}
		var got map[string]string
		sealed, err := p.read(t.Context(), own, key, &got)
		if diff := cmp.Diff(value, got); diff != "" || err != nil || !sealed {
			rt.Fatalf("%v %s", err, diff)
		}
		value["one more"] = "x" + value["one more"]
		if err := p.create(t.Context(), own, key, value); karbor.KindOf(err) != karbor.Conflict {
			rt.Fatalf("another text: %v", err)
		}
		if _, err := p.read(t.Context(), other, key, &got); err == nil {
			rt.Fatal("another project can read it")
		}
	})
}
