package repository_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
)

func TestShreddedDomainTakesNoNewData(t *testing.T) {
	m := banktest.NewMemory()
	source := keys()
	d := domains(t, repository.Options{Bank: m, Keys: source})
	s := node(t, m, d, "1")
	store(t, s, "volume", random(1<<20, 1))
	ring, err := keyring.New(m, project)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Shred(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The keys are still in memory: nobody could read afterwards what they write.
	_, err = node(t, m, d, "2").Create(t.Context(), "volume")
	locked, is := errors.AsType[*keyring.LockedError](err)
	if !is || locked.Slots != 0 || karbor.IsTransient(err) {
		t.Errorf("writing: %v", err)
	}
	_, err = load(t, s, "volume")
	wantKind(t, err, karbor.Unavailable)
	if err := s.Remove(t.Context(), "volume"); err != nil {
		t.Errorf("what can't be read can't be removed: %v", err)
	}
}

func TestRecoveryKeyOpensWhatOtherKeysNoLongerDo(t *testing.T) {
	m := banktest.NewMemory()
	recovery, data := keyring.NewKey(), random(1<<20, 1)
	d := domains(t, repository.Options{Bank: m, Recovery: keyring.Recovery(recovery)})
	store(t, node(t, m, d, "1"), "volume", data)
	lost := domains(t, repository.Options{Bank: m})
	_, err := load(t, node(t, m, lost, "1"), "volume")
	wantKind(t, err, karbor.Unavailable)
	saved := domains(t, repository.Options{Bank: m, Recovery: keyring.Recovery(recovery)})
	expect(t, node(t, m, saved, "1"), "volume", data)
}

func TestSealedDocumentsOpenOnlyInTheirPlace(t *testing.T) {
	m := banktest.NewMemory()
	source := keys()
	d := domains(t, repository.Options{Bank: m, Keys: source})
	sealed, err := d.Seal(t.Context(), project, "v1/checkpoints/x", []byte("names"))
	if err != nil || bytes.Contains(sealed, []byte("names")) || !format.IsSealed(sealed) {
		t.Fatalf("%s, %v", sealed, err)
	}
	again := domains(t, repository.Options{Bank: m, Keys: source})
	if text, err := again.Unseal(t.Context(), project, "v1/checkpoints/x", sealed); err != nil || string(text) != "names" {
		t.Errorf("%s, %v", text, err)
	}
	_, err = again.Unseal(t.Context(), project, "v1/checkpoints/y", sealed)
	if _, damaged := errors.AsType[*format.DamageError](err); !damaged {
		t.Errorf("in another place: %v", err)
	}
	for name, other := range map[string]*repository.Domains{
		"another key":  domains(t, repository.Options{Bank: m}),
		"another bank": domains(t, repository.Options{Bank: banktest.NewMemory(), Keys: source}),
	} {
		_, err := other.Unseal(t.Context(), project, "v1/checkpoints/x", sealed)
		wantKind(t, err, karbor.Unavailable)
		if karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), project) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
