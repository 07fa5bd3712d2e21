package failure

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// moments are places in an operation at which the process ends: when the cloud has
// been asked for something, before it answers.
type moment struct {
	name         string
	method, path string
	// done says that the cloud does what it is asked before the process ends; it
	// is then never heard of.
	done bool
}

// hold stops the operation at a moment, until the fault is cleared.
func (s *site) hold(m moment) {
	answer := fabric.AnswerHang
	if m.done {
		answer = fabric.AnswerLose
	}
	s.fault(fabric.Fault{Method: m.method, Path: m.path, Answer: answer})
}

// endings are the ways in which a process ends.
var endings = []struct {
	name   string
	signal syscall.Signal
}{{"SIGKILL", syscall.SIGKILL}, {"SIGTERM", syscall.SIGTERM}}

// each runs a test for each way to end at each moment.
func each(t *testing.T, moments []moment, run func(t *testing.T, m moment, signal syscall.Signal)) {
	for _, m := range moments {
		for _, e := range endings {
			t.Run(e.name+" at "+m.name, func(t *testing.T) { run(t, m, e.signal) })
		}
	}
}

// again ends the process and starts another.
func (s *site) again(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := s.end(signal); signal == syscall.SIGTERM && err != nil {
		t.Errorf("told to end, the process says %v", err)
	}
	s.cloud.Faults().Clear()
	s.start()
}

func TestProtectGoesOnAfterTheProcessEnds(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	disk, data := u.image("disk", 2<<20), u.volume("data")
	before := s.idle()
	run := func(t *testing.T, m moment, signal syscall.Signal) {
		what := data
		if m.path == ofBytes {
			what = disk
		}
		plan := u.plan(bankProvider, what)
		s.hold(m)
		id := u.protect(bankProvider, plan)
		s.struck(1)
		// What is over in the cloud and what is not must not be told apart.
		s.again(t, signal)
		if cp := u.settled(bankProvider, id); cp["status"] != "available" {
			t.Fatalf("the checkpoint is %v", cp)
		}
		ended(t, u.logOf("protect", "checkpoint_id", id), "available")
		s.same(t, before)
	}
	each(t, []moment{{"the bytes", "GET", ofBytes, false}}, run)
	// In a thorough run each volume is a GiB to read: one each is enough.
	for _, m := range []moment{
		{"the snapshot that is made", "POST", "/snapshots$", true},
		{"the temporary volume that is made", "POST", "/volumes$", true},
	} {
		t.Run("SIGKILL at "+m.name, func(t *testing.T) { run(t, m, syscall.SIGKILL) })
	}
}

func TestRestoreGoesOnAfterTheProcessEnds(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	cp := u.kept(imageProvider, u.image("disk", 2<<20))
	before := s.idle()
	each(t, []moment{
		{"the image", "POST", ofImages, false},
		{"the image that is made", "POST", ofImages, true},
		{"the bytes", "PUT", ofBytes, false},
		{"the bytes that have arrived", "PUT", ofBytes, true},
	}, func(t *testing.T, m moment, signal syscall.Signal) {
		s.hold(m)
		id := u.restore(imageProvider, cp)
		s.struck(1)
		s.again(t, signal)
		r := u.restored(id)
		if r["status"] != "success" {
			t.Fatalf("the restore is %v", r)
		}
		ended(t, u.logOf("restore", "restore_id", id), "success")
		u.dropped(t, r)
		s.same(t, before)
	})
}

func TestUndoGoesOnAfterTheProcessEnds(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img := u.image("disk", 100<<10)
	cp := u.kept(imageProvider, img)
	before := s.idle()
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			s.fault(fabric.Fault{Service: "glance", Method: "PUT", Path: ofBytes, Status: 413})
			s.fault(fabric.Fault{Service: "glance", Method: "DELETE", Path: anImage, Answer: fabric.AnswerHang})
			id := u.restore(imageProvider, cp)
			s.struck(2)
			s.again(t, e.signal)
			r := u.restored(id)
			if r["status"] != "fail" {
				t.Fatalf("the restore is %v", r)
			}
			ended(t, u.logOf("restore", "restore_id", id), "error", img.ID)
			s.same(t, before)
		})
	}
}

// TestDeleteGoesOnAfterTheProcessEnds ends the process a little later each time,
// as nothing of the cloud's is asked for that could stop a delete at a moment.
func TestDeleteGoesOnAfterTheProcessEnds(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	plan := u.plan(imageProvider, u.image("disk", 4<<20))
	before := s.idle()
	for _, e := range endings {
		for looks := range 3 {
			t.Run(fmt.Sprint(e.name, " after ", looks, " looks"), func(t *testing.T) {
				id := u.protect(imageProvider, plan)
				u.settled(imageProvider, id)
				path := checkpoints(imageProvider) + "/" + id
				u.must("DELETE", path, "", "")
				for range looks {
					u.ask("GET", path, "")
				}
				s.again(t, e.signal)
				if cp := u.settled(imageProvider, id); cp["status"] != "deleted" {
					t.Fatalf("the checkpoint is %v", cp)
				}
				ended(t, u.logOf("delete", "checkpoint_id", id), "deleted")
				s.same(t, before)
			})
		}
	}
	if files := s.bankFiles(imageProvider, "nodes"); len(files) > 0 {
		t.Errorf("left in the bank: %q", files)
	}
}

func TestWhatWasAcceptedIsDoneWhenTheProcessDiesAtOnce(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	plan := u.plan(noopProvider, resource{"OS::Cinder::Volume", "00000000-0000-4000-8000-000000000001", "v"})
	before := s.idle()
	var ids []string
	for range 3 {
		for range 10 {
			ids = append(ids, u.protect(noopProvider, plan))
		}
		s.kill()
		s.start()
	}
	for _, id := range ids {
		if cp := u.settled(noopProvider, id); cp["status"] != "available" {
			t.Errorf("the checkpoint is %v", cp)
		}
		ended(t, u.logOf("protect", "checkpoint_id", id), "available")
	}
	s.same(t, before)
}

func TestSecondProcessOnOneStateFolderRefuses(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	p, ready := s.launch()
	select {
	case address := <-ready:
		_ = p.cmd.Process.Kill()
		t.Errorf("a second process serves at %s", address)
	case <-p.ended:
		if p.err == nil {
			t.Error("the second process ends as if all were well")
		}
		says(t, s.logged(), "karbord:", s.dir, "another process")
	}
	<-p.ended
	plan := u.plan(noopProvider, resource{"OS::Cinder::Volume", "00000000-0000-4000-8000-000000000001", "v"})
	if cp := u.settled(noopProvider, u.protect(noopProvider, plan)); cp["status"] != "available" {
		t.Errorf("the first process was disturbed: the checkpoint is %v", cp)
	}
	s.again(t, syscall.SIGKILL)
	if a := u.ask("GET", "/plans/"+plan, ""); a.status != http.StatusOK {
		t.Errorf("after the first has died, the next says %d %s", a.status, a.text)
	}
}
