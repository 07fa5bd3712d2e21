package failure

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// smallDisk puts a folder of the site on a disk of its own.
func smallDisk(folder string, size int64) func(*site) {
	return func(s *site) { s.disks[filepath.Join(s.dir, folder)] = size }
}

// inside gives a path as the running process sees it: its disks are its own.
func (s *site) inside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", s.process.cmd.Process.Pid, path)
}

// fill fills the disk of a folder to the last byte; free frees it again.
func (s *site) fill(t *testing.T, folder string) (free func()) {
	t.Helper()
	name := s.inside(filepath.Join(s.dir, folder, "ballast"))
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullBankFailsTheCheckpointAndSaysSo(t *testing.T) {
	s := newSite(t, smallDisk("bank-images", 4<<20))
	u := s.tenant("demo")
	big, small := u.image("big", 6<<20), u.image("small", 100<<10)
	plan := u.plan(imageProvider, big)
	before := s.idle()

	t.Run("in the middle of the bytes", func(t *testing.T) {
		id := u.protect(imageProvider, plan)
		cp := u.settled(imageProvider, id)
		if cp["status"] != "error" {
			t.Fatalf("the checkpoint is %v", cp)
		}
		ended(t, u.logOf("protect", "checkpoint_id", id), "error", "the bank is full", big.ID)
		says(t, reasonIn(cp, big), "the bank is full")
		s.same(t, before)
		u.must("DELETE", checkpoints(imageProvider)+"/"+id, "", "")
		if cp := u.settled(imageProvider, id); cp["status"] != "deleted" {
			t.Errorf("the failed checkpoint can't be deleted: %v", cp)
		}
	})
	t.Run("from the start", func(t *testing.T) {
		free := s.fill(t, "bank-images")
		id := u.protect(imageProvider, u.plan(imageProvider, small))
		cp := u.settled(imageProvider, id)
		if cp["status"] != "error" {
			t.Fatalf("the checkpoint is %v", cp)
		}
		ended(t, u.logOf("protect", "checkpoint_id", id), "error", "the bank is full")
		says(t, reasonIn(cp, small), "the bank is full")
		s.same(t, before)
		free()
		u.must("DELETE", checkpoints(imageProvider)+"/"+id, "", "")
		if cp := u.settled(imageProvider, id); cp["status"] != "deleted" {
			t.Errorf("the failed checkpoint can't be deleted: %v", cp)
		}
	})
	t.Run("and well again", func(t *testing.T) {
		id := u.kept(imageProvider, small)
		free := s.fill(t, "bank-images")
		r := u.restored(u.restore(imageProvider, id))
		if r["status"] != "success" {
			t.Fatalf("a restore from a full bank is %v", r)
		}
		u.dropped(t, r)
		// A delete has to write that it began.
		u.must("DELETE", checkpoints(imageProvider)+"/"+id, "", "")
		cp := u.settled(imageProvider, id)
		if cp["status"] != "error-deleting" && cp["status"] != "deleted" {
			t.Errorf("deleted from a full bank the checkpoint is %v", cp)
		}
		free()
		if cp["status"] == "error-deleting" {
			ended(t, u.logOf("delete", "checkpoint_id", id), "error-deleting", "the bank is full")
			u.must("DELETE", checkpoints(imageProvider)+"/"+id, "", "")
			if cp := u.settled(imageProvider, id); cp["status"] != "deleted" {
				t.Errorf("with room again the checkpoint is %v", cp)
			}
		}
	})
	s.same(t, before)
}

func TestFullDatabaseRefusesWorkAndLosesNone(t *testing.T) {
	s := newSite(t, smallDisk("state", 16<<20))
	u := s.tenant("demo")
	img := u.image("disk", 100<<10)
	plan := u.plan(imageProvider, img)
	before := s.idle()
	s.hold(moment{method: "GET", path: ofBytes})
	id := u.protect(imageProvider, plan)
	s.struck(1)
	free := s.fill(t, "state")
	// What is there can be read; new work is refused, and the reason told.
	if a := u.ask("GET", "/plans/"+plan, ""); a.status != 200 {
		t.Errorf("a plan can't be read: %d %s", a.status, a.text)
	}
	u.refused(503, "POST", checkpoints(imageProvider), `{"checkpoint": {"plan_id": "`+plan+`"}}`, "disk is full")
	s.cloud.Faults().Clear()
	// So long that even the lease of the engine is lost.
	await(t, "an engine that can't go on", func() bool {
		return u.ask("GET", checkpoints(imageProvider)+"/"+id, "").status == 200 &&
			len(s.grep("can't be written")) > 0 && len(s.grep("begins anew")) > 0
	})
	free()
	if cp := u.settled(imageProvider, id); cp["status"] != "available" {
		t.Errorf("the checkpoint is %v", cp)
	}
	ended(t, u.logOf("protect", "checkpoint_id", id), "available")
	s.same(t, before)
	if list := u.ask("GET", checkpoints(imageProvider), "").body["checkpoints"].([]any); len(list) != 1 {
		t.Errorf("there are %d checkpoints", len(list))
	}
}
