package nova

import (
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// place is an availability zone and its one hypervisor.
type place struct{ zone, host string }

// places are all that there are. A server that asks for none is in the first one: this scheduler has no other rule.
func places() []place {
	return []place{{fabric.FirstZone, "compute-1"}, {fabric.SecondZone, "compute-2"}}
}

// placed gives the place that a request names, by its zone or by zone:host.
func placed(wanted string) (place, bool) {
	zone, host, byHost := strings.Cut(wanted, ":")
	for _, p := range places() {
		if wanted == "" || zone == p.zone && (!byHost || host == p.host) {
			return p, true
		}
	}
	return place{}, false
}

// place is where the server is.
func (s *Server) place() place {
	p, _ := placed(s.Zone) // its request was checked
	return p
}
