package failure

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// trouble is what the cloud does wrong, and how the operation has to end.
type trouble struct {
	name   string
	faults []fabric.Fault
	// why are words of the reason, if the operation has to fail; without any it
	// has to succeed in spite of all.
	why []string
}

const (
	ofImages = "^/image/v2/images$"
	anImage  = "^/image/v2/images/[^/]+$"
	ofBytes  = "/file$"
)

// answering gives a fault of Glance's that answers with a status a few times.
func answering(method, path string, status, times int) fabric.Fault {
	return fabric.Fault{Service: "glance", Method: method, Path: path, Status: status, Times: times}
}

// breaking gives a fault of Glance's that breaks one answer.
func breaking(method, path, answer string) fabric.Fault {
	return fabric.Fault{Service: "glance", Method: method, Path: path, Answer: answer, CutAfter: 100_000, Times: 1}
}

func TestProtectOutlivesAFailingCloudAndTellsWhatItCannot(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img := u.image("disk", 300<<10)
	before := s.idle()
	for _, c := range []trouble{
		{"500", []fabric.Fault{answering("GET", anImage, 500, 2)}, nil},
		{"503 for the bytes", []fabric.Fault{answering("GET", ofBytes, 503, 5)}, nil},
		{"429", []fabric.Fault{{Service: "glance", Path: anImage, Status: 429, Times: 2, Header: map[string]string{"Retry-After": "0"}}}, nil},
		{"409", []fabric.Fault{answering("GET", ofBytes, 409, 1)}, nil},
		{"no answer", []fabric.Fault{breaking("GET", anImage, fabric.AnswerHang)}, nil},
		{"a closed connection", []fabric.Fault{breaking("GET", ofBytes, fabric.AnswerClose)}, nil},
		{"a cut transfer", []fabric.Fault{breaking("GET", ofBytes, fabric.AnswerCut)}, nil},
		{"404", []fabric.Fault{answering("GET", ofBytes, 404, 0)}, []string{img.ID, "disk"}},
		{"403", []fabric.Fault{{Service: "glance", Path: ofBytes, Status: 403}}, []string{img.ID, "disk", "403"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := u.plan(bankProvider, img)
			for _, f := range c.faults {
				s.fault(f)
			}
			id = u.protect(bankProvider, id)
			cp := u.settled(bankProvider, id)
			s.struck(1)
			s.cloud.Faults().Clear()
			if want := endOf(c, "available", "error"); cp["status"] != want {
				t.Fatalf("the checkpoint is %v, want %s", cp, want)
			}
			if c.why == nil {
				ended(t, u.logOf("protect", "checkpoint_id", id), "available")
			} else {
				ended(t, u.logOf("protect", "checkpoint_id", id), "error", c.why...)
				says(t, reasonIn(cp, img), c.why...)
			}
			s.same(t, before)
		})
	}
}

func endOf(c trouble, good, bad string) string {
	if c.why != nil {
		return bad
	}
	return good
}

// reasonIn gives the reason of a resource in the progress of a checkpoint or restore.
func reasonIn(shown map[string]any, r resource) string {
	list, _ := shown["progress"].([]any)
	for _, item := range list {
		if p := item.(map[string]any); p["id"] == r.ID {
			return p["reason"].(string)
		}
	}
	return ""
}

func TestRestoreOutlivesAFailingCloudAndTellsWhatItCannot(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img := u.image("disk", 300<<10)
	cp := u.kept(bankProvider, img)
	before := s.idle()
	for _, c := range []trouble{
		{"500", []fabric.Fault{answering("POST", ofImages, 500, 1)}, nil},
		{"an image whose making was not heard of", []fabric.Fault{breaking("POST", ofImages, fabric.AnswerLose)}, nil},
		{"no answer", []fabric.Fault{breaking("POST", ofImages, fabric.AnswerHang)}, nil},
		{"503 for the bytes", []fabric.Fault{answering("PUT", ofBytes, 503, 1)}, nil},
		{"409 for the bytes", []fabric.Fault{answering("PUT", ofBytes, 409, 1)}, nil},
		{"bytes whose arrival was not heard of", []fabric.Fault{breaking("PUT", ofBytes, fabric.AnswerLose)}, nil},
		{"a closed connection", []fabric.Fault{breaking("PUT", ofBytes, fabric.AnswerClose)}, nil},
		{"a full quota", []fabric.Fault{answering("PUT", ofBytes, 413, 0)}, []string{img.ID, "disk"}},
		{"a full quota, and an undo that is refused at first", []fabric.Fault{answering("PUT", ofBytes, 413, 0), answering("DELETE", anImage, 503, 2)},
			[]string{img.ID, "disk"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range c.faults {
				s.fault(f)
			}
			id := u.restore(bankProvider, cp)
			r := u.restored(id)
			s.struck(len(c.faults))
			s.cloud.Faults().Clear()
			if want := endOf(c, "success", "fail"); r["status"] != want {
				t.Fatalf("the restore is %v, want %s", r, want)
			}
			if c.why != nil {
				ended(t, u.logOf("restore", "restore_id", id), "error", c.why...)
				status, reason := r["resources_status"].(map[string]any), r["resources_reason"].(map[string]any)
				if status[img.key()] != "error" || len(status) != 1 {
					t.Errorf("resources_status is %v", status)
				}
				text, _ := reason[img.key()].(string)
				says(t, text, c.why...)
				s.same(t, before)
				return
			}
			ended(t, u.logOf("restore", "restore_id", id), "success")
			u.dropped(t, r)
			s.same(t, before)
		})
	}
}

// dropped deletes the images that a restore has made.
func (u *tenant) dropped(t *testing.T, restore map[string]any) {
	t.Helper()
	for key, state := range restore["resources_status"].(map[string]any) {
		kind, id, _ := strings.Cut(key, "#")
		if kind != "OS::Glance::Image" || state != "available" {
			t.Errorf("%s is %v", key, state)
		}
		if a := u.cloud.Do(t, u.token, "DELETE", "/image/v2/images/"+id, nil); a.Status != http.StatusNoContent {
			t.Errorf("the restored image can't be deleted: %d %s", a.Status, a.Body)
		}
	}
}

func TestVolumeThatVanishesIsNamedAndNothingOfItIsLeft(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	stays, goes := u.image("stays", 100<<10), u.volume("goes")
	before := s.idle()
	plan := u.plan(bankProvider, stays, goes)
	// The volume goes while the cloud thinks about the snapshot.
	s.fault(fabric.Fault{Service: "cinder", Method: "POST", Path: "/snapshots$", Answer: fabric.AnswerHang})
	id := u.protect(bankProvider, plan)
	s.struck(1)
	if a := s.cloud.Do(t, u.token, "DELETE", "/volume/v3/"+u.user.ProjectID+"/volumes/"+goes.ID, nil); a.Status != http.StatusAccepted {
		t.Fatalf("deleting the volume: %d %s", a.Status, a.Body)
	}
	s.inventory() // waits until it is gone
	s.cloud.Faults().Clear()
	cp := u.settled(bankProvider, id)
	if cp["status"] != "error" {
		t.Fatalf("the checkpoint is %v", cp)
	}
	says(t, reasonIn(cp, goes), goes.ID, "goes")
	ended(t, u.logOf("protect", "checkpoint_id", id), "error", goes.ID, "goes")
	gone := func(what string) bool { return what == "volumes "+goes.ID }
	s.same(t, without(before, gone))
	u.must("DELETE", checkpoints(bankProvider)+"/"+id, "", "")
	if cp := u.settled(bankProvider, id); cp["status"] != "deleted" {
		t.Errorf("after its deletion the failed checkpoint is %v", cp)
	}
}

func without(list []string, gone func(string) bool) []string {
	var out []string
	for _, item := range list {
		if !gone(item) {
			out = append(out, item)
		}
	}
	return out
}

func TestSnapshotOrTemporaryVolumeThatFailsLeavesNothing(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	vol := u.volume("data")
	before := s.idle()
	for _, change := range []string{"snapshot.create", "volume.create"} {
		t.Run(change, func(t *testing.T) {
			plan := u.plan(bankProvider, vol)
			s.fault(fabric.Fault{Service: "cinder", Transition: change, Fail: true})
			id := u.protect(bankProvider, plan)
			cp := u.settled(bankProvider, id)
			s.struck(1)
			s.cloud.Faults().Clear()
			if cp["status"] != "error" {
				t.Fatalf("the checkpoint is %v", cp)
			}
			says(t, reasonIn(cp, vol), vol.ID, "data", "error")
			ended(t, u.logOf("protect", "checkpoint_id", id), "error", vol.ID)
			s.same(t, before)
		})
	}
}

func TestKeystoneThatDoesNotAnswerIsA503ThatStoresNothing(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	plan := u.plan(imageProvider, u.image("disk", 1000))
	before := s.idle()
	s.fault(fabric.Fault{Service: "keystone", Method: "POST", Path: "/OS-TRUST/trusts", Status: 500})
	u.refused(503, "POST", checkpoints(imageProvider), `{"checkpoint": {"plan_id": "`+plan+`"}}`, "trust")
	s.cloud.Faults().Clear()
	s.fault(fabric.Fault{Service: "keystone", Answer: fabric.AnswerClose})
	other := s.tenantWithToken(strings.Repeat("0a", 16))
	other.refused(503, "GET", "/plans", "", "Keystone")
	s.cloud.Faults().Clear()
	if list := u.ask("GET", checkpoints(imageProvider), "").body["checkpoints"]; len(list.([]any)) != 0 {
		t.Errorf("a refused request has left %v", list)
	}
	s.same(t, before)
}

// tenantWithToken gives a user of the demo project with another token.
func (s *site) tenantWithToken(token string) *tenant {
	u, _ := s.cloud.User("demo")
	return &tenant{site: s, user: u, token: token}
}
