package openstack_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/internal/openstack"
)

// waited gives how long a wait for something took that the cloud does in a time, and how often
// it was asked.
func waited(t *testing.T, takes time.Duration) (took time.Duration, asked int) {
	t.Helper()
	begin := time.Now()
	err := openstack.Poll(t.Context(), "it", 15*time.Second, func(context.Context) (bool, error) {
		asked++
		return time.Since(begin) >= takes, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return time.Since(begin), asked
}

func TestAWaitCostsATenthOfTheCloudsTimeAtMostInTheMean(t *testing.T) {
	for _, test := range []struct {
		about time.Duration
		// most is how often the cloud may be asked.
		most int
	}{{4 * time.Second, 12}, {10 * time.Second, 18}, {time.Minute, 32}, {10 * time.Minute, 80}, {2 * time.Hour, 640}} {
		t.Run(test.about.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const samples = 101
				var took, takes time.Duration
				for i := range samples {
					one := test.about * time.Duration(samples*3/4+i/2) / samples
					own, asked := waited(t, one)
					if asked > test.most {
						t.Errorf("in %s the cloud was asked %d times", one, asked)
					}
					took, takes = took+own, takes+one
				}
				over := float64(took-takes) / float64(takes)
				t.Logf("%s: %.1f %% over the cloud's time", test.about, 100*over)
				if over > 0.1 {
					t.Errorf("waits for about %s take %.1f %% more than the cloud", test.about, 100*over)
				}
			})
		})
	}
}
