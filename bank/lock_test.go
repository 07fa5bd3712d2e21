package bank

import "testing"

func TestWhatMustBeAbleToGoIsNeverLocked(t *testing.T) {
	for key, want := range map[string]bool{
		"v1/states/p/c/00000001": true, "v1/repositories/d/packs/ab/abcd": true, "v1/repositories/d/format": true,
		"v1/checkpoints/p/c/nodes/volume/v/documents/x": true, "v1/leasesx/a": true, "v1": true, "other/leases/x": true,
		"v1/leases/owner/00000001": false, "v1/leases": false, "v1/repositories/d/slots/s": false, "v1/repositories/d/slots": false,
		"v1/repositories/d/sessions/s/00000001": false, "v1/repositories/d/epochs/00000001": false, "v1/repositories/d/index/x": false,
		"v1/repositories/d/collectors/00000001": false, "v1/repositories/d/damaged/x": false, "v1/checkpoints/p/c/purging": false,
	} {
		if got := Lockable(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}
