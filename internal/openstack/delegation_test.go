package openstack

import (
	"testing"
	"time"
)

func TestTheTrustOfAnOperationEndsAtAnOddSecond(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	who := f.identity(a)
	for _, lifetime := range []time.Duration{time.Second, time.Hour, 48 * time.Hour} {
		for range 8 {
			d, err := a.Delegate(t.Context(), who, lifetime)
			if err != nil || d.ExpiresAt.Unix()%2 != 1 || d.ExpiresAt.Before(f.clock.now().Add(lifetime).Truncate(time.Second)) {
				t.Errorf("one for %s ends at %s, %v", lifetime, d.ExpiresAt, err)
			}
		}
	}
}
