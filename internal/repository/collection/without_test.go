package collection_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
)

func TestWhatGoesWithAManifestIsToldBeforeItGoes(t *testing.T) {
	d, b := newDomain(t)
	write(t, d, manifestOf(domain, 2), 2, 3)
	write(t, d, manifestOf(domain, 1), 1, 2, 3)
	var freeable int64
	reached := func(without ...string) int64 {
		t.Helper()
		r, err := collect(t, d, collection.Options{DryRun: true, Without: without})
		if err != nil {
			t.Fatal(err)
		}
		freeable = r.Freeable
		return r.Reached
	}
	all, told := reached(), reached(manifestOf(domain, 1))
	if freeable != all-told {
		t.Errorf("%d bytes go, and %d of %d stay", freeable, told, all)
	}
	if all-told < itemSize || all-told >= 2*itemSize {
		t.Errorf("of %d bytes, %d go with a manifest that alone has one item of %d", all, all-told, itemSize)
	}
	if none := reached(manifestOf(domain, 1), manifestOf(domain, 2)); none != 0 || freeable != all {
		t.Errorf("without any manifest %d bytes are reached, and %d of %d go", none, freeable, all)
	}
	if _, err := collection.New(d, collection.Options{Times: times(), Without: []string{"v1/"}}); karbor.KindOf(err) != karbor.Internal {
		t.Errorf("a collection that leaves out what is there: %v", err)
	}
	remove(t, b, manifestOf(domain, 1))
	if left := reached(); left != told {
		t.Errorf("%d bytes were told to stay, and %d do", told, left)
	}
}

// TestWhatGoesIsToldByReadingEachPageOnce: a bank of many checkpoints has many pages.
func TestWhatGoesIsToldByReadingEachPageOnce(t *testing.T) {
	memory := banktest.NewMemory()
	b := banktest.NewFaulty(memory)
	d, err := dedup.Create(t.Context(), b, domain, master(), time.Now(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	const streams = 5
	for n := range streams {
		write(t, d, manifestOf(domain, n+1), n, n+1)
	}
	write(t, d, manifestOf(domain, streams+1), 0, 1) // the same as the first
	before := len(b.Calls())
	if _, err := collect(t, d, collection.Options{DryRun: true, Without: []string{manifestOf(domain, 1), manifestOf(domain, 2)}}); err != nil {
		t.Fatal(err)
	}
	pages, manifests := 0, 0
	for _, call := range b.Calls()[before:] {
		switch {
		case call.Method != banktest.Get:
		case strings.Contains(call.Key, "/pages/"):
			pages++
		case strings.HasSuffix(call.Key, "/manifest"):
			manifests++
		}
	}
	if pages != streams || manifests != streams+1 {
		t.Errorf("of %d pages %d were read, of %d manifests %d", streams, pages, streams+1, manifests)
	}
}
