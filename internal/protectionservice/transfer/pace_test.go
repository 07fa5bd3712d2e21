package transfer

import (
	"testing"
	"time"
)

func TestSpeedIsThatOfTheLastSeconds(t *testing.T) {
	p, now := NewPaces(), time.Now()
	at := func(after time.Duration, done int64) int64 { return p.Observe("o", "k", done, now.Add(after)) }
	if got := at(0, 1000); got >= 0 {
		t.Errorf("at once it is %d", got)
	}
	if got := at(500*time.Millisecond, 9000); got >= 0 {
		t.Errorf("after half a second it is %d", got)
	}
	if got := at(2*time.Second, 3000); got != 1000 {
		t.Errorf("it is %d a second, want 1000", got)
	}
	for i := range 60 {
		at(time.Duration(3+i)*time.Second, 3000+int64(i+1)*5000)
	}
	if got := at(63*time.Second, 3000+61*5000); got < 4900 || got > 5000 {
		t.Errorf("after a minute it is %d a second, want 5000", got)
	}
	if got := at(3*time.Minute, 3000+61*5000); got > 10 {
		t.Errorf("standing still it is %d a second", got)
	}
	if got := at(4*time.Minute, 10); got >= 0 {
		t.Errorf("when it begins anew it is %d", got)
	}
	p.Forget("o")
	if len(p.all) != 0 {
		t.Error("it is not forgotten")
	}
}

func TestTimeLeftIsAnEstimateOrNothing(t *testing.T) {
	for _, tt := range []struct {
		done, total, speed int64
		want               time.Duration
	}{
		{0, 1000, 100, 10 * time.Second},
		{0, 1001, 100, 11 * time.Second},
		{1000, 1000, 100, 0},
		{2000, 1000, 100, 0},
		{0, 0, 100, 0},
		{0, 1000, 0, 0},
		{0, 1000, -1, 0},
		{0, 1 << 62, 1, 0},
	} {
		if got := TimeLeft(tt.done, tt.total, tt.speed); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
