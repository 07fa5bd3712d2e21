package output

import "testing"

func TestSpanHasTheTwoLargestUnits(t *testing.T) {
	for seconds, want := range map[int64]string{
		-1: "0s", 0: "0s", 59: "59s", 60: "1m", 61: "1m 1s", 3600: "1h", 3661: "1h 1m", 86399: "23h 59m", 86400: "1d", 273600: "3d 4h", 86401: "1d",
	} {
		if got := Span(&seconds); got != want {
			t.Errorf("%d: %q, want %q", seconds, got, want)
		}
	}
	if got := Span(nil); got != "" {
		t.Errorf("nil: %q", got)
	}
}
