//go:build temporal

package scaleout

import (
	"log/slog"
	"strings"
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
	s := newSite(t)
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
			s := newSite(t)
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
		})
	}
}

func TestOperationsOfALostEngineBeginAgain(t *testing.T) {
	s := newSite(t)
	s.start("api", roleAPI)
	one := s.start("one", roleProtection)
	u := s.tenant()
	plan := u.plan()
	s.hold()
	id := u.protect(plan)
	s.await("the transfer", func() bool { return s.held() > 0 })
	// The engine that follows counts from the first attempt, which is behind this one's.
	s.start("two", roleProtection)
	one.end(syscall.SIGKILL)
	held := s.held()
	s.await("the second attempt", func() bool { return s.held() > held })
	if err := cluster.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.cloud.Faults().Clear()
	u.available(id)
}

func TestOperationsMoveFromTheLocalEngineToTheCluster(t *testing.T) {
	s := newSite(t)
	local := func(c *config.Config) { c.Engine.Type = config.LocalEngine }
	s.start("api", roleAPI, local)
	one := s.start("one", roleProtection, local)
	u := s.tenant()
	plan := u.plan()
	s.hold()
	under := u.protect(plan)
	s.await("the transfer", func() bool { return s.held() > 0 })
	o := daemon.Options{Config: s.config, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	if moved, err := daemon.Migrate(t.Context(), o); err == nil || !strings.Contains(err.Error(), "a process with the role protection runs") {
		t.Errorf("beside a process that runs, %d moved: %v", moved, err)
	}
	one.end(syscall.SIGTERM)
	if moved, err := daemon.Migrate(t.Context(), o); err != nil || moved != 1 {
		t.Fatalf("%d moved: %v", moved, err)
	}
	if moved, err := daemon.Migrate(t.Context(), o); err != nil || moved != 0 {
		t.Errorf("once more, %d moved: %v", moved, err)
	}
	s.cloud.Faults().Clear()
	s.start("two", roleProtection)
	u.available(under)
	u.available(u.protect(plan))
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

// verify has a checkpoint verified, byte for byte, and waits for the result.
func (u *tenant) verify(checkpoint string) {
	u.t.Helper()
	v := u.ask("POST", "/verifications", map[string]any{"verification": map[string]any{
		"provider_id": imageProvider, "checkpoint_id": checkpoint,
		"parameters": map[string]any{"OS::Glance::Image": map[string]any{"depth": "full"}}}}, "verification")
	id := v["id"].(string)
	u.await("the end of the verification", func() bool {
		v = u.ask("GET", "/verifications/"+id, nil, "verification")
		return v["status"] != "verifying"
	})
	if v["status"] != "success" {
		u.t.Errorf("the verification is %v", v)
	}
}
