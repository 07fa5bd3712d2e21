package protectionservice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

func TestAnOperationThatIsTooOldIsCancelled(t *testing.T) {
	s := newSite(t)
	main, begun := blocked()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: main})
	s.deadline = 24 * time.Hour
	s.restart()
	id := s.protect(s.plan(volume("v1")))
	arrives(t, begun)
	s.stop()
	s.ahead = 23 * time.Hour
	s.start()
	arrives(t, begun) // not yet: it goes on
	s.stop()
	s.ahead = 24*time.Hour + time.Minute
	s.start()
	cp := s.until(id)
	if want := "cancelled by the service: it was not over after 24h0m0s"; cp.Status != karbor.CheckpointError || cp.Reasons["OS::Cinder::Volume#v1"] != want {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}

func TestAnOperationThatIsFarTooOldIsEndedAsItLies(t *testing.T) {
	s, id, _, gate := hanging(t, 0)
	defer close(gate)
	// Another service on the same database, whose clock is ahead, in place of a day of waiting.
	other := &site{t: t, dir: s.dir, bank: s.bank, authority: s.authority, script: s.script, lost: true, deadline: time.Hour, ahead: 3 * time.Hour}
	other.start()
	defer other.stop()
	cp := s.until(id)
	if cp.Status != karbor.CheckpointError || !strings.Contains(cp.Reasons["OS::Cinder::Volume#v1"], "it was not over after 1h0m0s") {
		t.Errorf("the checkpoint is %s: %v", cp.Status, cp.Reasons)
	}
}
