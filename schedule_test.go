package karbor_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
)

func TestARunHasOneIDForEachTime(t *testing.T) {
	at := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	id := karbor.RunID("op", at)
	if !karbor.IsUUID(id) || id != karbor.RunID("op", at.In(time.FixedZone("", 3600))) {
		t.Errorf("the id is %s", id)
	}
	for _, other := range []string{karbor.RunID("op", at.Add(time.Microsecond)), karbor.RunID("op2", at), karbor.RunOperationID(id, 0), karbor.RunOperationID(id, 1)} {
		if other == id {
			t.Errorf("two runs have the id %s", id)
		}
	}
}

func TestTheShareOfTheJitterStaysAndSpreads(t *testing.T) {
	const jitter = 10 * time.Minute
	early, late := jitter, time.Duration(0)
	for range 1000 {
		id := karbor.NewID()
		share := karbor.Share(id, jitter)
		if share < 0 || share >= jitter || share != karbor.Share(id, jitter) {
			t.Fatalf("the share of %s is %v", id, share)
		}
		early, late = min(early, share), max(late, share)
	}
	if early > jitter/20 || late < jitter-jitter/20 {
		t.Errorf("shares lie between %v and %v of %v", early, late, jitter)
	}
	if karbor.Share("op", 0) != 0 {
		t.Error("there is a share of no jitter")
	}
}
