package collection_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/collection"
)

func TestWhatGoesWithAManifestIsToldBeforeItGoes(t *testing.T) {
	d, b := newDomain(t)
	write(t, d, manifestOf(domain, 2), 2, 3)
	write(t, d, manifestOf(domain, 1), 1, 2, 3)
	reached := func(without ...string) int64 {
		t.Helper()
		r, err := collect(t, d, collection.Options{DryRun: true, Without: without})
		if err != nil {
			t.Fatal(err)
		}
		return r.Reached
	}
	all, told := reached(), reached(manifestOf(domain, 1))
	if all-told < itemSize || all-told >= 2*itemSize {
		t.Errorf("of %d bytes, %d go with a manifest that alone has one item of %d", all, all-told, itemSize)
	}
	if none := reached(manifestOf(domain, 1), manifestOf(domain, 2)); none != 0 {
		t.Errorf("without any manifest %d bytes are reached", none)
	}
	if _, err := collection.New(d, collection.Options{Times: times(), Without: []string{"v1/"}}); karbor.KindOf(err) != karbor.Internal {
		t.Errorf("a collection that leaves out what is there: %v", err)
	}
	remove(t, b, manifestOf(domain, 1))
	if left := reached(); left != told {
		t.Errorf("%d bytes were told to stay, and %d do", told, left)
	}
}
