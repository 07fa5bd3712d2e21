package v1_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// quotaItems are the calls of the quotas' routes.
func (w *world) quotaItems(t *testing.T, token string) []item {
	t.Helper()
	project := ours
	if token == "stranger" {
		project = theirs
	}
	one := "/quotas/" + project
	return []item{
		{method: "GET", path: one, byID: true, crosses: true},
		{method: "GET", path: one + "/defaults", byID: true, crosses: true},
		{method: "GET", path: one + "/detail", byID: true, crosses: true},
		{method: "PUT", path: one, body: `{"quota": {"plans": 60}}`, admin: true},
		{method: "DELETE", path: one, admin: true},
		{method: "GET", path: "/quota_classes/default"},
		{method: "PUT", path: "/quota_classes/default", body: `{"quota_class": {"plans": 60}}`, admin: true},
	}
}

func same(t *testing.T, want map[string]any, got answer) {
	t.Helper()
	if d := cmp.Diff(want, got.body); d != "" {
		t.Errorf("%s (-want +got):\n%s", got.text, d)
	}
}

func TestQuotasAreShownWithWhatIsInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.checkpoint(t, "member") // with its plan
	one := "/quotas/" + ours
	for _, path := range []string{one, one + "/defaults"} {
		want := map[string]any{"id": ours, "plans": 50.0, "checkpoints": -1.0}
		same(t, map[string]any{"quota": want}, w.call(t, "reader", "GET", path, "").want(t, 200))
		want["gigabytes"] = 1000.0
		same(t, map[string]any{"quota": want}, w.call(t, "reader", "GET", path, "", v12).want(t, 200))
	}
	entry := func(limit, inUse int) map[string]any {
		return map[string]any{"limit": float64(limit), "in_use": float64(inUse), "reserved": 0.0}
	}
	want := map[string]any{"id": ours, "plans": entry(50, 1), "checkpoints": entry(-1, 1)}
	same(t, map[string]any{"quota": want}, w.call(t, "member", "GET", one+"/detail", "", v11).want(t, 200))
	want["gigabytes"] = entry(1000, 1)
	same(t, map[string]any{"quota": want}, w.call(t, "member", "GET", one+"/detail", "", v12).want(t, 200))
	same(t, map[string]any{"quota": map[string]any{"id": theirs, "plans": entry(50, 0), "checkpoints": entry(-1, 0)}},
		w.call(t, "admin", "GET", "/quotas/"+theirs+"/detail", "").want(t, 200))
}

func TestQuotasAreChangedByAdministratorsAndHoldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := "/quotas/" + ours
	w.plan(t, "member")
	same(t, map[string]any{"quota": map[string]any{"id": ours, "plans": 1.0, "checkpoints": 3.0}},
		w.call(t, "admin", "PUT", one, `{"quota": {"plans": 1, "checkpoints": 3}}`).want(t, 200))
	w.call(t, "member", "POST", "/plans", planBody).want(t, 413, "overLimit", "plans", "the limit is 1", "1 are in use")
	w.plan(t, "stranger")
	same(t, map[string]any{"quota": map[string]any{"id": ours, "plans": -1.0, "checkpoints": 3.0, "gigabytes": 5.0}},
		w.call(t, "admin", "PUT", one, `{"quota": {"plans": -1, "gigabytes": 5}}`, v12).want(t, 200))
	w.plan(t, "member")
	// Fewer than there are: nothing is lost, and nothing more is made.
	w.call(t, "admin", "PUT", one, `{"quota": {"plans": 0}}`).want(t, 200)
	w.call(t, "member", "POST", "/plans", planBody).want(t, 413, "the limit is 0", "2 are in use")
	if a := w.call(t, "admin", "DELETE", one, "").want(t, 200); a.text != "" {
		t.Errorf("a delete answers %q", a.text)
	}
	w.call(t, "admin", "DELETE", one, "").want(t, 200)
	same(t, map[string]any{"quota": map[string]any{"id": ours, "plans": 50.0, "checkpoints": -1.0}},
		w.call(t, "member", "GET", one, "").want(t, 200))
}

func TestQuotasThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, member := range map[string]string{"/quotas/" + ours: "quota", "/quota_classes/default": "quota_class"} {
		for body, want := range map[string]string{
			`{"plans": -2}`:               "plans. Value: -2",
			`{"plans": "many"}`:           `plans. Value: \"many\"`,
			`{"plans": null}`:             "plans. Value: null",
			`{"plans": 2147483648}`:       "plans. Value: 2147483648",
			`{"volumes": 5}`:              "volumes",
			`{"plans": 5, "id": "x"}`:     "id",
			`{"gigabytes": 5}`:            "gigabytes",
			`{}`:                          "at least 1 members",
			`{"plans": 1.5}`:              "plans. Value: 1.5",
			`{"plans": 5, "plans": 6}`:    "plans",
			`[]`:                          member,
			`{"checkpoints": -1, "z": 1}`: "z",
		} {
			w.call(t, "admin", "PUT", path, `{"`+member+`": `+body+`}`, v11).want(t, 400, "badRequest", want)
		}
		w.call(t, "admin", "PUT", path, `{"quotas": {"plans": 5}}`).want(t, 400, "quotas")
		w.call(t, "admin", "PUT", path, `{"`+member+`": {"gigabytes": -2}}`, v12).want(t, 400, "gigabytes. Value: -2")
	}
	for _, path := range []string{"/quotas/..%2F", "/quotas/%20", "/quota_classes/a%2Fb"} {
		w.call(t, "admin", "GET", path, "").want(t, 400, "badRequest")
	}
	same(t, map[string]any{"quota": map[string]any{"id": ours, "plans": 50.0, "checkpoints": -1.0, "gigabytes": 1000.0}},
		w.call(t, "member", "GET", "/quotas/"+ours, "", v12).want(t, 200))
}

func TestTheDefaultClassChangesTheDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(t, "admin", "PUT", "/quotas/"+theirs, `{"quota": {"checkpoints": 4}}`).want(t, 200)
	w.call(t, "admin", "PUT", "/quota_classes/gold", `{"quota_class": {"plans": 99}}`).want(t, 200)
	same(t, map[string]any{"quota_class": map[string]any{"id": "default", "plans": 1.0, "checkpoints": -1.0}},
		w.call(t, "admin", "PUT", "/quota_classes/default", `{"quota_class": {"plans": 1}}`).want(t, 200))
	same(t, map[string]any{"quota_class": map[string]any{"id": "default", "plans": 1.0, "checkpoints": -1.0, "gigabytes": 1000.0}},
		w.call(t, "reader", "GET", "/quota_classes/default", "", v12).want(t, 200))
	same(t, map[string]any{"quota_class": map[string]any{"id": "gold", "plans": 99.0, "checkpoints": -1.0}},
		w.call(t, "member", "GET", "/quota_classes/gold", "").want(t, 200))
	same(t, map[string]any{"quota_class": map[string]any{"id": "unheard-of", "plans": 50.0, "checkpoints": -1.0}},
		w.call(t, "member", "GET", "/quota_classes/unheard-of", "").want(t, 200))
	for path, want := range map[string]map[string]any{
		"/quotas/" + ours + "/defaults":   {"id": ours, "plans": 1.0, "checkpoints": -1.0},
		"/quotas/" + ours:                 {"id": ours, "plans": 1.0, "checkpoints": -1.0},
		"/quotas/" + theirs:               {"id": theirs, "plans": 1.0, "checkpoints": 4.0},
		"/quotas/" + theirs + "/defaults": {"id": theirs, "plans": 1.0, "checkpoints": -1.0},
	} {
		same(t, map[string]any{"quota": want}, w.call(t, "admin", "GET", path, "").want(t, 200))
	}
	w.plan(t, "member")
	w.call(t, "member", "POST", "/plans", planBody).want(t, 413, "overLimit", "the limit is 1")
}

func TestManyClientsAtOnceDoNotExceedAQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit, clients = 7, 64
	w.call(t, "admin", "PUT", "/quotas/"+ours, fmt.Sprintf(`{"quota": {"plans": %d}}`, limit)).want(t, 200)
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			switch a := w.call(t, "member", "POST", "/plans", planBody); {
			case a.status == http.StatusOK:
				made.Add(1)
			case a.status == http.StatusRequestEntityTooLarge && a.header.Get("Retry-After") == "0":
				refused.Add(1)
			default:
				t.Errorf("%d %s", a.status, a.text)
			}
		})
	}
	wg.Wait()
	listed := w.call(t, "member", "GET", "/plans", "").want(t, 200).body["plans"].([]any)
	if made.Load() != limit || refused.Load() != clients-limit || len(listed) != limit {
		t.Errorf("%d made, %d refused, %d there", made.Load(), refused.Load(), len(listed))
	}
}

func TestACheckpointThatIsBeingDeletedStillCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.checkpoint(t, "member")
	used := func() any {
		return w.call(t, "member", "GET", "/quotas/"+ours+"/detail", "").want(t, 200).get("quota.checkpoints.in_use")
	}
	cp, err := w.store.Checkpoint(t.Context(), ours, provider, id)
	if err != nil {
		t.Fatal(err)
	}
	op := store.Operation{ID: karbor.NewID(), Type: karbor.Delete, ProjectID: ours, ProviderID: provider, CheckpointID: id, Graph: cp.Graph}
	if err := w.store.Accept(t.Context(), store.Acceptance{Operation: op, Log: karbor.OperationLog{ID: op.ID, ProjectID: ours},
		CheckpointTo: karbor.CheckpointDeleting}); err != nil {
		t.Fatal(err)
	}
	if n := used(); n != 1.0 {
		t.Errorf("while it is being deleted, %v are in use", n)
	}
	if err := w.store.EndOperation(t.Context(), op.ID, store.Outcome{CheckpointStatus: karbor.CheckpointDeleted}); err != nil {
		t.Fatal(err)
	}
	if n := used(); n != 0.0 {
		t.Errorf("when it is gone, %v are in use", n)
	}
}

func TestOthersQuotasDoNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, suffix := range []string{"", "/defaults", "/detail"} {
		there := w.call(t, "member", "GET", "/quotas/"+theirs+suffix, "").want(t, 404, "itemNotFound")
		nowhere := w.call(t, "member", "GET", "/quotas/"+strings.Repeat("3", 32)+suffix, "").want(t, 404)
		if there.text != nowhere.text {
			t.Errorf("%s tells %s from %s", suffix, there.text, nowhere.text)
		}
	}
	w.call(t, "member", "PUT", "/quotas/"+theirs, `{"quota": {"plans": 5}}`).want(t, 403, "quota:update")
	w.call(t, "member", "DELETE", "/quotas/"+ours, "").want(t, 403, "quota:delete")
}
