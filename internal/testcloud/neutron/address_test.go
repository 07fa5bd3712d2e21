package neutron

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestPoolsHoldEveryHostButTheGateway looks at each address of small subnets.
func TestPoolsHoldEveryHostButTheGateway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(24, 30).Draw(t, "bits")
		base := netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 255).Draw(t, "b")), 7, byte(rapid.IntRange(0, 255).Draw(t, "d"))})
		prefix := netip.PrefixFrom(base, bits).Masked()
		hosts := []netip.Addr{}
		for a := prefix.Addr().Next(); a != lastOf(prefix); a = a.Next() {
			hosts = append(hosts, a)
		}
		gateway := rapid.SampledFrom(hosts).Draw(t, "gateway")
		pools := defaultPools(prefix, new(gateway.String()))
		for _, a := range append(hosts, prefix.Addr(), lastOf(prefix)) {
			in := 0
			for _, p := range pools {
				start, end := netip.MustParseAddr(p.Start), netip.MustParseAddr(p.End)
				if end.Less(start) {
					t.Fatalf("the pool %v is empty", p)
				}
				if !a.Less(start) && !end.Less(a) {
					in++
				}
			}
			want := 1
			if a == gateway || a == prefix.Addr() || a == lastOf(prefix) {
				want = 0
			}
			if in != want {
				t.Fatalf("%s with gateway %s: %s is in %d of %v", prefix, gateway, a, in, pools)
			}
		}
	})
}

func TestAddressOfAMACNeedsAMAC(t *testing.T) {
	for _, bad := range [][2]string{{"fd00::/64", "nonsense"}, {"nonsense", "fa:16:3e:00:00:01"}} {
		if got, err := eui64(bad[0], bad[1]); err == nil {
			t.Errorf("%v gives %q", bad, got)
		}
	}
}
