//go:build temporal

package scaleout

import (
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
)

var (
	roleAPI        = daemon.Roles{API: true}
	roleProtection = daemon.Roles{Protection: true}
)

// mostTakeOver is how long a lost worker's work may lie still.
const mostTakeOver = 30 * time.Second

func TestOperationsAreCarriedOutByOtherProcesses(t *testing.T) {
	onEachDatabase(t, operationsAreCarriedOutByOtherProcesses)
}

func operationsAreCarriedOutByOtherProcesses(_ *testing.T, s *site) {
	s.start("api", roleAPI)
	u := s.tenant()
	plan := u.plan()
	id := u.protect(plan) // nobody is there yet to do it
	s.start("one", roleProtection)
	s.start("two", roleProtection)
	u.available(id)
	u.ask("DELETE", "/providers/"+imageProvider+"/checkpoints/"+id, nil, "")
}

func TestLostWorkersWorkGoesOnInAnother(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "halted": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T, s *site) { lostWorkersWorkGoesOn(t, s, signal) })
		})
	}
}

func lostWorkersWorkGoesOn(t *testing.T, s *site, signal syscall.Signal) {
	s.start("api", roleAPI)
	one := s.start("one", roleProtection)
	u := s.tenant()
	plan := u.plan()
	s.hold()
	id := u.protect(plan)
	s.await("the transfer", func() bool { return s.held() > 0 })
	s.start("two", roleProtection)
	one.tell(signal)
	lost, held := time.Now(), s.held()
	s.await("the other process's transfer", func() bool { return s.held() > held })
	took := time.Since(lost)
	t.Logf("another process went on after %s", took)
	if took > mostTakeOver {
		t.Errorf("the work lay still for %s", took)
	}
	s.cloud.Faults().Clear()
	u.available(id)
	if signal != syscall.SIGSTOP {
		return
	}
	// It comes back, and can't do any harm.
	one.tell(syscall.SIGCONT)
	next := u.protect(plan)
	u.available(next)
	u.available(id)
}

func TestLocalEngineHasOneProtectionProcess(t *testing.T) {
	s := newSite(t)
	local := func(c *config.Config) { c.Engine.Type = config.LocalEngine }
	s.start("api", roleAPI, local)
	one := s.start("one", roleProtection, local)
	s.start("two", roleProtection, local)
	s.await("the second to say that it waits", func() bool { return s.logged("two", "another process runs the operations") })
	u := s.tenant()
	plan := u.plan()
	u.available(u.protect(plan))
	// When the first goes, the second takes its place.
	one.end(syscall.SIGTERM)
	u.available(u.protect(plan))
}

// TestStepsThatWaitForAPlaceOnTheClusterAreTold tells no number of those before them, which nobody knows.
func TestStepsThatWaitForAPlaceOnTheClusterAreTold(t *testing.T) {
	const places, more = 16, 4
	s := newSite(t)
	s.start("api", roleAPI)
	s.start("one", roleProtection)
	u := s.tenant()
	images := make([]string, places+more)
	for i := range images {
		images[i] = u.image()
	}
	s.hold()
	id := u.protect(u.planOf(images...))
	u.await("the steps that wait", func() bool { return len(u.waits(id)) == more })
	for _, why := range u.waits(id) {
		if why != "waiting for a free place of the project" {
			t.Errorf("a step says %q", why)
		}
	}
	s.cloud.Faults().Clear()
	u.available(id)
}
