package failure

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func TestTwoRestoresOfOneCheckpointGoSideBySide(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	cp := u.kept(imageProvider, u.image("disk", 1<<20))
	before := s.idle()
	s.fault(fabric.Fault{Service: "glance", Method: "POST", Path: ofImages, Delay: fabric.Duration(2e8)})
	ids := []string{u.restore(imageProvider, cp), u.restore(imageProvider, cp)}
	for _, id := range ids {
		r := u.restored(id)
		if r["status"] != "success" {
			t.Errorf("the restore is %v", r)
		}
		u.dropped(t, r)
	}
	s.same(t, before)
}

func TestCheckpointInUseCanNeitherBeDeletedNorReset(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img := u.image("disk", 100<<10)
	plan := u.plan(imageProvider, img)
	cp := u.kept(imageProvider, img)
	path := checkpoints(imageProvider) + "/" + cp
	before := s.idle()

	s.hold(moment{method: "POST", path: ofImages})
	id := u.restore(imageProvider, cp)
	s.struck(1)
	u.refused(409, "DELETE", path, "", cp, "restored")
	u.refused(409, "PUT", path, `{"os-resetState": {"state": "error"}}`, cp)
	s.cloud.Faults().Clear()
	u.dropped(t, u.restored(id))

	s.hold(moment{method: "GET", path: ofBytes})
	second := u.protect(imageProvider, plan)
	s.struck(1)
	u.refused(409, "DELETE", checkpoints(imageProvider)+"/"+second, "", second, "being made")
	u.refused(409, "POST", "/restores", restoreBody(imageProvider, second), second, "protecting")
	s.cloud.Faults().Clear()
	u.settled(imageProvider, second)
	s.same(t, before)
}

func TestTwoDeletesAtOnceDeleteOnce(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img := u.image("disk", 1<<20)
	for range 5 {
		cp := u.kept(imageProvider, img)
		var statuses []int
		var mu sync.Mutex
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				a, err := u.send("DELETE", "/v1/"+u.user.ProjectID+checkpoints(imageProvider)+"/"+cp, "")
				mu.Lock()
				defer mu.Unlock()
				statuses = append(statuses, a.status)
				if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		slices.Sort(statuses)
		if !slices.Equal(statuses, []int{200, 409}) && !slices.Equal(statuses, []int{200, 404}) {
			t.Errorf("two deletes answer %v", statuses)
		}
		if got := u.settled(imageProvider, cp); got["status"] != "deleted" {
			t.Errorf("the checkpoint is %v", got)
		}
		ended(t, u.logOf("delete", "checkpoint_id", cp), "deleted")
	}
}

func TestOneIdempotencyKeyMakesOneCheckpoint(t *testing.T) {
	s := newSite(t)
	u, other := s.tenant("demo"), s.tenant("other")
	plan := u.plan(noopProvider, resource{"OS::Cinder::Volume", "00000000-0000-4000-8000-000000000001", "v"})
	body := fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, plan)
	path := "/v1/" + u.user.ProjectID + checkpoints(noopProvider)
	var answers []answer
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			a, err := u.send("POST", path, body, "Idempotency-Key", "night 1")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
		})
	}
	all.Wait()
	s.kill()
	s.start()
	a := u.ask("POST", checkpoints(noopProvider), body, "Idempotency-Key", "night 1")
	for _, b := range append(answers, a) {
		if b.status != 200 || b.text != a.text {
			t.Errorf("one answers %d %s, another %d %s", b.status, b.text, a.status, a.text)
		}
	}
	list := u.ask("GET", checkpoints(noopProvider), "").body["checkpoints"].([]any)
	if len(list) != 1 {
		t.Errorf("there are %d checkpoints", len(list))
	}
	a = u.ask("POST", checkpoints(noopProvider), `{"checkpoint": {"plan_id": "`+plan+`", "extra_info": {"why": "else"}}}`, "Idempotency-Key", "night 1")
	if a.status != 400 {
		t.Errorf("the key with another body: %d %s", a.status, a.text)
	}
	says(t, a.message(), "Idempotency-Key", "another body")
	// Another project's key of the same text is another key.
	a = other.ask("POST", checkpoints(noopProvider), body, "Idempotency-Key", "night 1")
	if a.status != 404 {
		t.Errorf("another project's key: %d %s", a.status, a.text)
	}
}
