package v1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
)

// v14 asks for microversion 1.4.
const v14 = "OpenStack-API-Version: data-protect 1.4"

// moving is the progress of a volume that moves and of one that waits.
func moving(done int64) []karbor.ResourceProgress {
	return []karbor.ResourceProgress{
		{Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "disk"}, State: karbor.ResourceRestoring, Phase: "main",
			Done: done, Total: 4000, Speed: 100, Left: 40 * time.Second},
		{Resource: karbor.Resource{Type: karbor.VolumeType, ID: "v2"}, State: karbor.ResourcePending, Waiting: "waiting for its turn"},
	}
}

func TestAnOperationIsShownByTheIDOfWhatItMakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	restore := w.restore(t, "member")
	w.service.progress = moving(1000)
	w.service.states = []protectionservice.Operation{{State: protectionservice.OperationRunning, Status: karbor.LogInProgress}}
	a := w.call(t, "reader", "GET", "/operations/"+restore, "", v14).want(t, 200)
	for path, want := range map[string]any{
		"operation.state": "running", "operation.status": "in_progress", "operation.restore_id": restore, "operation.bytes_done": 1000.0,
		"operation.bytes_total": 4000.0, "operation.bytes_per_second": 100.0, "operation.seconds_left": 40.0, "operation.cancelled": nil,
	} {
		if got := a.get(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	list, _ := a.get("operation.progress").([]any)
	want := []any{
		map[string]any{"type": "OS::Cinder::Volume", "id": volume, "name": "disk", "state": "restoring", "phase": "main",
			"bytes_done": 1000.0, "bytes_total": 4000.0, "reason": "", "bytes_per_second": 100.0, "seconds_left": 40.0},
		map[string]any{"type": "OS::Cinder::Volume", "id": "v2", "name": "", "state": "pending", "phase": "",
			"bytes_done": 0.0, "bytes_total": 0.0, "reason": "", "waiting": "waiting for its turn"},
	}
	if d := cmp.Diff(want, list); d != "" {
		t.Error(d)
	}
	w.call(t, "stranger", "GET", "/operations/"+restore, "", v14).want(t, 404)
	w.call(t, "reader", "GET", "/operations/"+unknown, "", v14).want(t, 404)
	w.call(t, "reader", "GET", "/operations/x", "", v14).want(t, 400, "not a UUID")
	w.call(t, "reader", "GET", "/operations/"+restore, "", v13).want(t, 404, "1.4")
}

func TestSpeedAndWaitingAreThereFromTheirVersionOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.progress = moving(1000)
	path := "/restores/" + w.restore(t, "member")
	for _, version := range []string{v11, v13} {
		if a := w.call(t, "member", "GET", path, "", version).want(t, 200); contains(a.text, "seconds") || contains(a.text, "waiting") {
			t.Errorf("%s: %s", version, a.text)
		}
	}
	w.call(t, "member", "GET", path, "", v14).want(t, 200, `"bytes_per_second":100`, `"seconds_left":40`, `"waiting":"waiting for its turn"`)
}

func TestAnOperationIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	restore := w.restore(t, "member")
	path := "/operations/" + restore + "/action"
	w.service.states = []protectionservice.Operation{{State: protectionservice.OperationStopping, Status: karbor.LogInProgress}}
	a := w.call(t, "member", "POST", path, `{"cancel": {"reason": "the wrong one"}}`, v14).want(t, 200, `"state":"stopping"`)
	if got := a.str("operation.cancelled"); got != "cancelled by m: the wrong one" {
		t.Errorf("it was %q", got)
	}
	w.call(t, "member", "POST", path, `{"cancel": {}}`, v14).want(t, 200)
	w.call(t, "reader", "POST", path, `{"cancel": {}}`, v14).want(t, 403)
	w.call(t, "stranger", "POST", path, `{"cancel": {}}`, v14).want(t, 404)
	w.call(t, "member", "POST", path, `{"cancel": {}}`, v13).want(t, 404, "1.4")
	for _, body := range []string{`{}`, `{"cancel": null}`, `{"stop": {}}`, `{"cancel": {"why": "x"}}`, `{"cancel": {"reason": "` + strings.Repeat("x", 256) + `"}}`} {
		w.call(t, "member", "POST", path, body, v14).want(t, 400)
	}
	w.service.refuse = karbor.Errorf(karbor.Conflict, "the operation is over")
	w.call(t, "member", "POST", path, `{"cancel": {}}`, v14).want(t, 409, "the operation is over")
}

func TestAnOperationIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	restore := w.restore(t, "member")
	running := protectionservice.Operation{State: protectionservice.OperationRunning, Status: karbor.LogInProgress}
	w.service.progress = moving(1000)
	// One look when it begins, one that finds no change, and then it is over.
	w.service.states = []protectionservice.Operation{running, running}
	text := w.stream(t, "reader", "/operations/"+restore+"/events")
	var names []string
	for event := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		name, _, _ := strings.Cut(event, "\n")
		names = append(names, name)
	}
	if d := cmp.Diff([]string{"event: progress", "event: end"}, names); d != "" {
		t.Errorf("%s\n%s", d, text)
	}
	w.service.states = []protectionservice.Operation{running, {}}
	if text := w.stream(t, "reader", "/operations/"+restore+"/events"); !contains(text, "event: close\ndata: {\"reason\":\"the engine is away\"}") {
		t.Errorf("a stream that can't go on ends with %s", text)
	}
	w.call(t, "stranger", "GET", "/operations/"+restore+"/events", "", v14).want(t, 404)
}

func operationItems(id string) []item {
	return []item{
		{method: "GET", path: "/operations/" + id, byID: true, crosses: true, header: v14},
		{method: "GET", path: "/operations/" + id + "/events", byID: true, crosses: true, header: v14},
		{method: "POST", path: "/operations/" + id + "/action", body: `{"cancel": {}}`, byID: true, writes: true, crosses: true, header: v14},
	}
}
