//go:build temporal && figures

package scaleout

import (
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

var queued = flag.Int("queued", 1000, "operations of a project beside which another's first is measured")

// slowStep is how long each transfer of the busy project takes.
const slowStep = 2 * time.Second

// measureFairness has a project ask for many checkpoints, and measures how long another project's first
// takes beside them.
func measureFairness(t *testing.T, f *figures, name string, edit func(*config.Config)) {
	s := newSite(t)
	s.start("all", daemon.AllRoles(), edit, func(c *config.Config) { c.Quotas.Checkpoints = -1 })
	busy, other := s.tenant(), s.tenantOf("other")
	large, plan := busy.image(), other.plan()
	once := func() time.Duration {
		begun := time.Now()
		other.available(other.protect(plan))
		return time.Since(begun)
	}
	once() // warm
	alone := once()
	if _, err := s.cloud.Faults().Add(fabric.Fault{Method: "GET", Path: large + ofBytes, Delay: fabric.Duration(slowStep)}); err != nil {
		t.Fatal(err)
	}
	slow, left := busy.planOf(large), make(chan struct{}, *queued)
	for range *queued {
		left <- struct{}{}
	}
	close(left)
	var all sync.WaitGroup
	for range *clients {
		all.Go(func() {
			for range left {
				busy.protect(slow)
			}
		})
	}
	all.Wait()
	f.add(fmt.Sprintf("first checkpoint of a project beside %d of another, whose transfers take %s each, %s", *queued, slowStep, name),
		fmt.Sprintf("≤ %s more than alone", slowStep), fmt.Sprintf("%s; alone %s", once().Round(10*time.Millisecond), alone.Round(10*time.Millisecond)))
	for _, checkpoint := range busy.listed() {
		if status := busy.status(checkpoint); status == "error" {
			t.Errorf("checkpoint %s of the busy project is in error", checkpoint)
		}
	}
}
