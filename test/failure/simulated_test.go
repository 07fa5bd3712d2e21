//go:build !openstack

package failure

import (
	"time"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

const (
	// slowness is how many times as long as the simulated cloud the sites' cloud may take.
	slowness = 1
	// cloudTimeout is how long a request to Keystone may take.
	cloudTimeout = time.Second
	// pace is how often, and how long, the plug-ins wait for the cloud.
	pace = "poll_interval: 50ms, timeout: 20s"
	// together is how many sites there are at a time; "" for as many as the engine bears.
	together = ""
	// settle is how long the cloud may take, where the service is killed, for what it was asked for without
	// an answer; 0 for what the service thinks of it.
	settle = 3 * time.Second
	// watcher looks at what there is: in a cloud of the site's own, at all of it.
	watcher    = "admin"
	everywhere = "?all_tenants=1"
)

// cloud is a site's: one of its own.
type cloud = testcloudtest.Cloud

// openCloud starts the site's cloud. Only a thorough run has volumes whose GiB are whole.
func (s *site) openCloud() {
	s.t.Helper()
	s.cloud = testcloudtest.Start(s.t, func(o *testcloud.Options) {
		o.Timing = fabric.Timing{Change: time.Millisecond}
		if o.VolumeGiB = s.gib; s.gib == 0 && setting(s.t, killsVariable, fewKills) < thorough {
			o.VolumeGiB = smallGiB
		}
	})
}

// trusts chooses which trusts the watcher looks at.
func (*site) trusts() string { return "" }

// limit sets a quota of a project.
func (s *site) limit(project, what string, n int) {
	s.cloud.Quotas().Set(project, what, n)
}

// pliable says whether the cloud can be made to go wrong, and runs servers and fills volumes at once.
const pliable = true

// volumes says whether volumes go through, too.
func (work) volumes() bool { return true }

// possible says whether the cloud can be made to do what a work wants of it.
func (work) possible() bool { return true }
