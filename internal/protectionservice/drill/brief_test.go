package drill

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBriefIsBounded(t *testing.T) {
	if got := Brief([]string{"One.", "Two."}); got != "One. Two." {
		t.Errorf("it is %q", got)
	}
	if got := Brief(nil); got != "" {
		t.Errorf("of nothing it is %q", got)
	}
	for _, size := range []int{1, 100, 1000, 2047, 4095, 4096, 4097, 100_000} {
		for _, count := range []int{1, 2, 3, 1000} {
			all := make([]string, count)
			for i := range all {
				all[i] = strings.Repeat("é", size)
			}
			got := Brief(all)
			if len(got) > longestBrief || !utf8.ValidString(got) || !strings.HasPrefix(got, "é") {
				t.Errorf("%d sentences of %d letters: %d bytes", count, size, len(got))
			}
			if whole := len(strings.Join(all, " ")) < 2000; whole != (got == strings.Join(all, " ")) && size < 1000 && count < 10 {
				t.Errorf("%d sentences of %d letters are cut", count, size)
			}
		}
	}
}
