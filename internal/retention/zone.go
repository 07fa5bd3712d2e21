package retention

import (
	"strings"
	"time"
	_ "time/tzdata" // zones are known on a machine that has no files of them, too

	"github.com/karbor/karbor"
)

// Zone gives the zone of an IANA name; "" is UTC. An unknown one is karbor.Invalid.
func Zone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "local") { // that would be the host's
		return nil, karbor.Errorf(karbor.Invalid, "%q is not the name of a time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "%.80q is not the name of a time zone", name)
	}
	return zone, nil
}
