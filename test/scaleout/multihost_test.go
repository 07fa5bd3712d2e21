//go:build temporal && multihost

package scaleout

import (
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// fault has the cloud do something when the bytes of an image are asked for, and gives how
// often they were.
func (s *site) fault(image string, f fabric.Fault) (asked func() int) {
	s.t.Helper()
	f.Method, f.Path = "GET", image+ofBytes
	id, err := s.cloud.Faults().Add(f)
	if err != nil {
		s.t.Fatal(err)
	}
	return func() int {
		for _, f := range s.cloud.Faults().List() {
			if f.ID == id {
				return f.Acted
			}
		}
		return 0
	}
}

// reports tells whether the processes of a host have said since a time that they run.
func (s *site) reports(host string, since time.Time) bool {
	s.t.Helper()
	db, err := s.server.Admin(s.database)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	n := 0
	err = db.QueryRowContext(s.t.Context(), "SELECT count(*) FROM services WHERE host = $1 AND updated_at > $2", host, since.UnixMicro()).Scan(&n)
	if err != nil {
		s.t.Fatal(err)
	}
	return n > 0
}

// TestWorkerThatIsCutOffLosesItsWorkAndDoesNoHarmWhenItIsBack pulls a worker's plug in
// mid-transfer. The bank is a shared folder, which it reaches all the time: only what it knows
// of the others can keep it from writing there.
func TestWorkerThatIsCutOffLosesItsWorkAndDoesNoHarmWhenItIsBack(t *testing.T) {
	s := newSite(t)
	s.start("api1", roleAPI)
	one := s.start("one", roleProtection)
	u := s.tenant()
	first, second := u.image(), u.image()
	plan := u.planOf(first, second)
	fetched := s.fault(first, fabric.Fault{Delay: fabric.Duration(time.Millisecond)})
	held := s.fault(second, fabric.Fault{Answer: fabric.AnswerHang})
	id := u.protect(plan)
	s.await("the second transfer, with the first over", func() bool { return held() == 1 && u.phases(id)[first] == "available" })
	s.start("two", roleProtection)
	one.host.cut(t)
	lost := time.Now()
	s.await("the other worker's transfer", func() bool { return held() == 2 })
	took := time.Since(lost)
	t.Logf("another worker went on after %s", took)
	if took > mostTakeOver {
		t.Errorf("the work lay still for %s", took)
	}
	one.host.join(t)
	s.await("the worker that was cut off to be back", func() bool { return s.reports("one", lost.Add(took)) })
	if held() != 2 || u.status(id) != "protecting" {
		t.Errorf("the bytes were asked for %d times, the checkpoint is %s", held(), u.status(id))
	}
	if fetched() != 1 {
		t.Errorf("what was recorded was fetched %d times", fetched())
	}
	s.cloud.Faults().Clear()
	u.available(id)
	u.verify(id)
	// Both are of use again.
	for range 4 {
		next := u.protect(plan)
		u.available(next)
	}
}

// phases gives the states of the resources of a checkpoint, by id.
func (u *tenant) phases(checkpoint string) map[string]string {
	u.t.Helper()
	out := map[string]string{}
	shown := u.ask("GET", "/providers/"+imageProvider+"/checkpoints/"+checkpoint, nil, "checkpoint")
	list, _ := shown["progress"].([]any)
	for _, item := range list {
		p := item.(map[string]any)
		id, _ := p["id"].(string)
		state, _ := p["state"].(string)
		out[id] = state
	}
	return out
}

// TestHostOfAnAPIMayDie takes one of two hosts away, under load, as a power cut does: nothing
// that was promised is lost, and nothing is made twice.
func TestHostOfAnAPIMayDie(t *testing.T) {
	s := newSite(t)
	s.start("one", roleProtection)
	s.start("two", roleProtection)
	apis := []*process{s.start("api1", roleAPI), s.start("api2", roleAPI)}
	u := s.tenant()
	l := &load{u: u, plan: u.planOf(u.image()), stop: make(chan struct{})}
	l.serve(apis[0].address, apis[1].address)
	l.over.Go(l.run)
	l.grow(5)
	apis[0].host.cut(t) // first, so that nobody hears of the end
	apis[0].end(syscall.SIGKILL)
	l.serve(apis[1].address)
	l.grow(5)
	l.end()
	l.allMade()
}

// TestHostOfScheduledOperationsMayDie cuts off the one of two hosts that starts what is due:
// the other one does so at the next minute, and each time is used once.
func TestHostOfScheduledOperationsMayDie(t *testing.T) {
	s := newSite(t)
	s.start("one", roleProtection)
	s.start("api1", roleAPI, often)
	starters := []*process{s.start("schedules1", roleSchedules, often), s.start("schedules2", roleSchedules, often)}
	u := s.tenant()
	plan := u.planOf(u.image())
	trigger := u.ask("POST", "/triggers", map[string]any{"trigger_info": map[string]any{"name": "each minute", "type": "time",
		"properties": map[string]any{"format": "crontab", "pattern": "* * * * *", "start_time": time.Now().UTC().Format("2006-01-02T15:04:05")}}}, "trigger_info")
	u.ask("POST", "/scheduled_operations", map[string]any{"scheduled_operation": map[string]any{"name": "o", "operation_type": "protect",
		"trigger_id": trigger["id"], "operation_definition": map[string]any{"provider_id": imageProvider, "plan_id": plan}}}, "scheduled_operation")
	s.await("the first time", func() bool { return len(u.listed()) == 1 })
	starters[0].host.cut(t)
	s.await("the second time", func() bool { return len(u.listed()) == 2 })
	starters[0].host.join(t)
	starters[1].host.cut(t)
	s.await("the third time", func() bool { return len(u.listed()) == 3 })
	for _, id := range u.listed() {
		u.available(id)
	}
	if n := len(u.listed()); n != 3 {
		t.Errorf("three times gave %d checkpoints", n)
	}
}
