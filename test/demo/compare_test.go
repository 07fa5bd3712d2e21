package main

import (
	"strings"
	"testing"

	"github.com/karbor/karbor/test/demo/application"
)

func TestDiskOfAnotherLengthIsADifference(t *testing.T) {
	before := &application.Digest{Bytes: 8192, SHA256: strings.Repeat("a", 64)}
	for size, want := range map[int64]int{8192: 0, 4096: 1} {
		c := compareDisk("disk", before, &application.Digest{Bytes: size, SHA256: before.SHA256}, "")
		if len(c.faults) != want {
			t.Errorf("%d bytes: faults %v", size, c.faults)
		}
	}
}
