package repository_test

import (
	"bytes"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/session"
)

// TestCollectionLetsWritersGoOnAfterADamagedEpoch: until then, what can't be written may be tried again.
func TestCollectionLetsWritersGoOnAfterADamagedEpoch(t *testing.T) {
	m, source, data := banktest.NewMemory(), keys(), random(1<<20, 1)
	d := domains(t, repository.Options{Bank: m, Keys: source})
	store(t, node(t, m, d, "1"), "volume", data)
	store(t, node(t, m, d, "2"), "volume", random(1<<20, 2))
	if err := node(t, m, d, "2").Remove(t.Context(), "volume"); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Collect(t.Context(), project, collection.Options{}, nil); err != nil || r.Epoch != 1 || r.Deleted == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Put(t.Context(), session.EpochKey(project, 1), bytes.NewReader([]byte("{}")), 2); err != nil {
		t.Fatal(err)
	}
	d = domains(t, repository.Options{Bank: m, Keys: source})
	if _, err := node(t, m, d, "3").Create(t.Context(), "volume"); !karbor.IsTransient(err) {
		t.Errorf("writing beside a damaged epoch: %v", err)
	}
	if r, err := d.Collect(t.Context(), project, collection.Options{}, nil); err != nil || r.Epoch != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	store(t, node(t, m, d, "3"), "volume", data)
	expect(t, node(t, m, d, "1"), "volume", data)
	expect(t, node(t, m, d, "3"), "volume", data)
}
