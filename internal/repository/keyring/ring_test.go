package keyring_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
)

const domain = "e486a2f49695423ca9c47e589b948108"

// barbican gives payloads by URL, or its error.
type barbican struct {
	payloads map[string]string
	err      error
}

func (b barbican) Payload(_ context.Context, url string) ([]byte, error) {
	return []byte(b.payloads[url]), b.err
}

func ring(t *testing.T, b bank.Bank) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(b, domain)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t *testing.T, err error, kind karbor.Kind) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("error %v of kind %v, want kind %v", err, karbor.KindOf(err), kind)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// all gives one source of each kind.
func all(t *testing.T) []*keyring.Source {
	url := "https://barbican.example/v1/secrets/1"
	return []*keyring.Source{
		keyring.KeyFile(write(t, "key", keyring.NewKey().Reveal()+"\n")),
		keyring.PassphraseFile(write(t, "passphrase", "correct horse\nsecond line\n")),
		keyring.Barbican(url, barbican{payloads: map[string]string{url: strings.Repeat("k", 32)}}),
		keyring.RecoveryFile(write(t, "recovery", strings.ToUpper(keyring.NewKey().Reveal()))),
	}
}

func TestDomainOpensThroughEachOfItsSlots(t *testing.T) {
	r, sources := ring(t, banktest.NewMemory()), all(t)
	made := must[*keyring.Opened](t)(r.Create(t.Context(), sources))
	for _, s := range sources {
		o := must[*keyring.Opened](t)(r.Open(t.Context(), []*keyring.Source{s}))
		if o.Master != made.Master || o.Document.Repository != made.Document.Repository {
			t.Errorf("the %s opens another domain", s)
		}
	}
	if _, err := r.Open(t.Context(), []*keyring.Source{keyring.Passphrase("correct horse")}); err != nil {
		t.Errorf("the passphrase is the first line of its file: %v", err)
	}
	_, err := r.Create(t.Context(), sources)
	wantKind(t, err, karbor.Conflict)
	var kinds []format.SlotKind
	for _, s := range must[[]keyring.Slot](t)(r.Slots(t.Context())) {
		kinds = append(kinds, s.Kind)
		if s.Label == "" || s.CreatedAt == "" || (s.Kind == format.BarbicanSlot) != (s.Secret != "") {
			t.Errorf("slot %+v", s)
		}
	}
	if len(kinds) != len(sources) {
		t.Errorf("slots of the kinds %q", kinds)
	}
}

func TestKeyThatOpensNothingSaysSo(t *testing.T) {
	m := banktest.NewMemory()
	r := ring(t, m)
	file := keyring.Key(keyring.NewKey())
	_, err := r.Open(t.Context(), []*keyring.Source{file})
	wantKind(t, err, karbor.NotFound)
	_, err = r.Create(t.Context(), nil)
	wantKind(t, err, karbor.Invalid)
	must[*keyring.Opened](t)(r.Create(t.Context(), []*keyring.Source{file}))
	for name, source := range map[string]*keyring.Source{
		"another key":         keyring.Key(keyring.NewKey()),
		"another kind":        keyring.Recovery(keyring.NewKey()),
		"a passphrase":        keyring.Passphrase("x"),
		"a file without keys": keyring.KeyFile(write(t, "key", "nonsense")),
		"a file that is gone": keyring.KeyFile(filepath.Join(t.TempDir(), "none")),
	} {
		_, err := r.Open(t.Context(), []*keyring.Source{source})
		locked, is := errors.AsType[*keyring.LockedError](err)
		if !is || locked.Slots != 1 || karbor.KindOf(err) != karbor.Unavailable || karbor.IsTransient(err) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(karbor.Sentence(err), domain) {
			t.Errorf("%s: the tenant reads %q", name, karbor.Sentence(err))
		}
		if _, err := r.Open(t.Context(), []*keyring.Source{source, file}); err != nil {
			t.Errorf("%s keeps the right key from opening: %v", name, err)
		}
	}
	dead := keyring.Barbican("u", barbican{err: karbor.Transientf("no answer")})
	o := must[*keyring.Opened](t)(r.Open(t.Context(), []*keyring.Source{file}))
	if _, err := r.Add(t.Context(), o, dead); !karbor.IsTransient(err) {
		t.Errorf("adding a slot without its key: %v", err)
	}
	if _, err := ring(t, banktest.NewMemory()).Create(t.Context(), []*keyring.Source{file, dead}); !karbor.IsTransient(err) {
		t.Errorf("making a domain without a key: %v", err)
	}
}

func TestBarbicanThatDoesNotAnswerIsTriedAgain(t *testing.T) {
	r := ring(t, banktest.NewMemory())
	good := barbican{payloads: map[string]string{"u": strings.Repeat("k", 32)}}
	must[*keyring.Opened](t)(r.Create(t.Context(), []*keyring.Source{keyring.Barbican("u", good)}))
	_, err := r.Open(t.Context(), []*keyring.Source{keyring.Barbican("u", barbican{err: karbor.Transientf("no answer")})})
	if !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestDamagedAndForeignSlotsKeepNobodyOut(t *testing.T) {
	m := banktest.NewMemory()
	r := ring(t, m)
	source := keyring.Passphrase("p")
	o := must[*keyring.Opened](t)(r.Create(t.Context(), []*keyring.Source{source}))
	// Another domain's slot, as one that a creation left which died.
	foreign := banktest.NewMemory()
	must[*keyring.Opened](t)(ring(t, foreign).Create(t.Context(), []*keyring.Source{source}))
	for key, text := range foreign.Snapshot() {
		if strings.Contains(key, "/slots/") {
			put(t, m, key, text)
		}
	}
	slots := "v1/repositories/" + domain + "/slots/"
	put(t, m, slots+karbor.NewID(), "{")
	put(t, m, slots+"no-id", "x")
	costly := map[string]any{}
	if err := json.Unmarshal([]byte(m.Snapshot()[slots+o.Slot]), &costly); err != nil {
		t.Fatal(err)
	}
	id := karbor.NewID()
	costly["slot"], costly["time"], costly["memory_kib"] = id, 64, 4<<20
	text, err := json.Marshal(costly)
	if err != nil {
		t.Fatal(err)
	}
	put(t, m, slots+id, string(text)) // trying it would take minutes
	if _, err := r.Open(t.Context(), []*keyring.Source{source}); err != nil {
		t.Error(err)
	}
	damaged := 0
	for _, s := range must[[]keyring.Slot](t)(r.Slots(t.Context())) {
		if s.Damage != "" {
			damaged++
		}
	}
	if damaged != 1 {
		t.Errorf("%d slots are told to be damaged", damaged)
	}
}

func put(t *testing.T, b bank.Bank, key, text string) {
	t.Helper()
	if err := b.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
}

func TestRotatedKeyOpensNoMoreAndTheNewOneDoes(t *testing.T) {
	m := banktest.NewMemory()
	r := ring(t, m)
	old, fresh := keyring.Key(keyring.NewKey()), keyring.Key(keyring.NewKey())
	made := must[*keyring.Opened](t)(r.Create(t.Context(), []*keyring.Source{old}))
	before := len(m.Snapshot())
	o := must[*keyring.Opened](t)(r.Open(t.Context(), []*keyring.Source{old}))
	must[string](t)(r.Rotate(t.Context(), o, o.Slot, fresh))
	if _, err := r.Open(t.Context(), []*keyring.Source{old}); err == nil {
		t.Error("the old key still opens the domain")
	}
	again := must[*keyring.Opened](t)(r.Open(t.Context(), []*keyring.Source{fresh}))
	if again.Master != made.Master || len(m.Snapshot()) != before {
		t.Errorf("rotating made another domain, or left objects behind: %d after %d", len(m.Snapshot()), before)
	}
}

func TestLastSlotCannotBeRemoved(t *testing.T) {
	r := ring(t, banktest.NewMemory())
	first, second := keyring.Key(keyring.NewKey()), keyring.Recovery(keyring.NewKey())
	o := must[*keyring.Opened](t)(r.Create(t.Context(), []*keyring.Source{first, second}))
	wantKind(t, r.Remove(t.Context(), o, o.Slot), karbor.Conflict)
	wantKind(t, r.Remove(t.Context(), o, karbor.NewID()), karbor.NotFound)
	through := must[*keyring.Opened](t)(r.Open(t.Context(), []*keyring.Source{second}))
	if err := r.Remove(t.Context(), through, o.Slot); err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.Remove(t.Context(), o, through.Slot), karbor.NotFound) // its own slot has gone
	if _, err := r.Open(t.Context(), []*keyring.Source{second}); err != nil {
		t.Error(err)
	}
}

func TestTwoThatRemoveEachOthersSlotLeaveOne(t *testing.T) {
	for range 50 {
		r := ring(t, banktest.NewMemory())
		sources := []*keyring.Source{keyring.Key(keyring.NewKey()), keyring.Recovery(keyring.NewKey())}
		must[*keyring.Opened](t)(r.Create(t.Context(), sources))
		a := must[*keyring.Opened](t)(r.Open(t.Context(), sources[:1]))
		b := must[*keyring.Opened](t)(r.Open(t.Context(), sources[1:]))
		var both sync.WaitGroup
		both.Go(func() { _ = r.Remove(t.Context(), a, b.Slot) })
		both.Go(func() { _ = r.Remove(t.Context(), b, a.Slot) })
		both.Wait()
		if _, err := r.Open(t.Context(), sources); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShreddedDomainIsLostAndTheReceiptTellsIt(t *testing.T) {
	m := banktest.NewMemory()
	r, sources := ring(t, m), all(t)
	_, err := r.Shred(t.Context())
	wantKind(t, err, karbor.NotFound)
	made := must[*keyring.Opened](t)(r.Create(t.Context(), sources))
	slots := must[[]keyring.Slot](t)(r.Slots(t.Context()))
	receipt := must[keyring.Receipt](t)(r.Shred(t.Context()))
	var told []keyring.Slot
	for _, s := range receipt.Slots {
		told = append(told, s.Slot)
		if len(s.SHA256) != 64 {
			t.Errorf("digest %q", s.SHA256)
		}
	}
	if diff := cmp.Diff(slots, told); diff != "" || receipt.Repository != made.Document.Repository || receipt.DestroyedAt.IsZero() {
		t.Errorf("receipt %+v: %s", receipt, diff)
	}
	for key := range m.Snapshot() {
		if strings.Contains(key, "/slots/") {
			t.Errorf("%s is left", key)
		}
	}
	_, err = r.Open(t.Context(), sources)
	if locked, is := errors.AsType[*keyring.LockedError](err); !is || locked.Slots != 0 || !strings.Contains(karbor.Sentence(err), "destroyed") {
		t.Errorf("opening a shredded domain: %v", err)
	}
}

func TestRacingCreationsMakeOneDomain(t *testing.T) {
	m := banktest.NewMemory()
	sources := []*keyring.Source{keyring.Key(keyring.NewKey())}
	var racers sync.WaitGroup
	won := make(chan *keyring.Opened, 8)
	for range cap(won) {
		racers.Go(func() {
			if o, err := ring(t, m).Create(t.Context(), sources); err == nil {
				won <- o
			} else if karbor.KindOf(err) != karbor.Conflict {
				t.Error(err)
			}
		})
	}
	racers.Wait()
	if len(won) != 1 || len(m.Snapshot()) != 2 {
		t.Errorf("%d won, and %d objects are there", len(won), len(m.Snapshot()))
	}
}

func TestCreationThatDiesAnywhereCanBeRepeated(t *testing.T) {
	sources := []*keyring.Source{keyring.Key(keyring.NewKey()), keyring.Recovery(keyring.NewKey())}
	for dies := range 10 {
		m := banktest.NewMemory()
		b := &dying{Bank: m, left: dies}
		_, err := ring(t, b).Create(t.Context(), sources)
		if err == nil {
			return
		}
		r := ring(t, m)
		if _, err := r.Create(t.Context(), sources); err != nil && karbor.KindOf(err) != karbor.Conflict {
			t.Fatalf("after it died at call %d: %v", dies, err)
		}
		for _, s := range sources {
			if _, err := r.Open(t.Context(), []*keyring.Source{s}); err != nil {
				t.Fatalf("after it died at call %d: %v", dies, err)
			}
		}
	}
	t.Error("it did not end")
}

// dying is a bank that takes no writes after some.
type dying struct {
	bank.Bank
	left int
}

func (d *dying) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if d.left--; d.left < 0 {
		return errors.New("dead")
	}
	return d.Bank.Create(ctx, key, body, size)
}

func TestSecretsPrintAsStars(t *testing.T) {
	key := keyring.NewKey()
	o := must[*keyring.Opened](t)(ring(t, banktest.NewMemory()).Create(t.Context(), []*keyring.Source{keyring.Key(key)}))
	text := fmt.Sprintf("%v %+v %#v %s %v %#v", o, *o, o.Master, keyring.Key(key), key, keyring.Passphrase("hunter2"))
	master := hex.EncodeToString(o.Master[:])
	if strings.Contains(text, key.Reveal()) || strings.Contains(text, "hunter2") || strings.Contains(text, master) || !strings.Contains(text, "***") {
		t.Errorf("secrets in %s", text)
	}
}

func TestKeyFileIsMadeOnceForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bank.key")
	if err := keyring.WriteKeyFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := keyring.KeyFile(path).Check(t.Context()); err != nil {
		t.Error(err)
	}
	before, _ := os.ReadFile(path)
	wantKind(t, keyring.WriteKeyFile(path), karbor.Conflict)
	after, _ := os.ReadFile(path)
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 || string(before) != string(after) {
		t.Errorf("%v, %v", entries, err)
	}
	for _, bad := range []*keyring.Source{keyring.KeyFile(filepath.Dir(path)), keyring.Passphrase("\nx"), keyring.Key("x"),
		keyring.Barbican("u", nil), keyring.Barbican("u", barbican{payloads: map[string]string{"u": "short"}})} {
		if err := bad.Check(t.Context()); err == nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
