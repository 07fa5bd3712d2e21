package failure

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
)

// judge looks at all that an operation touches, after its end.
func (k *killing) judge(outcome map[string]any, before []string) {
	k.t.Helper()
	if outcome["status"] != k.work.want {
		k.problem("it ended as %v, not as %s", outcome, k.work.want)
	}
	k.judgeLog()
	if k.work.after != nil {
		k.work.after(k, outcome)
	}
	var now []string
	if !k.until(k.patience, func() bool {
		now = k.inventory()
		return slices.Equal(before, now)
	}) {
		k.problem("the cloud has changed (-before +now):\n%s", cmp.Diff(before, now))
		k.tidy(before, now)
	}
	k.judgeUsage()
	switch {
	case k.work.name == "protect" && outcome["status"] == "available":
		k.judgeData()
	case k.work.name == "copy" && outcome["status"] == "finished":
		k.judgeCopy(outcome)
	}
}

// judgeCopy has each byte of the copy verified.
func (k *killing) judgeCopy(outcome map[string]any) {
	made, _ := outcome["checkpoint_id"].([]any)
	if len(made) != 1 {
		k.problem("there is not one copy: %v", outcome)
		return
	}
	k.checkpoint, _ = made[0].(map[string]any)["checkpoint_copy_id"].(string)
	k.judgeData()
}

func (k *killing) judgeLog() {
	of := "checkpoint_id=" + k.checkpoint
	if k.work.log == "copy" {
		of = "plan_id=" + k.plan // it may be of several checkpoints
	}
	k.judgeLogs(k.u.ask("GET", "/operation_logs?"+of+"&limit=20", ""))
}

func (k *killing) judgeLogs(a answer) {
	list, _ := a.body["operation_logs"].([]any)
	var of []any
	for _, item := range list {
		l := item.(map[string]any)
		if l["operation_type"] != k.work.log {
			continue
		}
		of = append(of, l["status"])
		if l["status"] != k.work.logged || l["ended_at"] == nil {
			k.problem("the log says %v", l)
		}
	}
	if len(of) == 0 || len(of) > 1 && (k.work.log == "protect" || k.work.log == "delete") {
		k.problem("it is %d times in the log", len(of))
	}
}

// judgeUsage compares what is counted with what there is.
func (k *killing) judgeUsage() {
	var checkpointsInUse, reserved float64
	listed := 0
	ok := k.until(5*time.Second, func() bool {
		a := k.u.ask("GET", "/quotas/"+k.u.user.ProjectID+"/detail", "")
		quota, _ := a.body["quota"].(map[string]any)
		counted, _ := quota["checkpoints"].(map[string]any)
		checkpointsInUse, _ = counted["in_use"].(float64)
		reserved, _ = counted["reserved"].(float64)
		list, _ := k.u.ask("GET", checkpoints(bankProvider), "").body["checkpoints"].([]any)
		listed = len(list)
		return int(checkpointsInUse) == listed && reserved == 0
	})
	if !ok {
		k.problem("%v checkpoints are counted and %v reserved, and there are %d", checkpointsInUse, reserved, listed)
	}
}

// judgeData has each byte of the checkpoint verified.
func (k *killing) judgeData() {
	k.key += "-verify" // it was that of the checkpoint's request
	id, err := k.verify(k.checkpoint)
	if err != nil {
		k.problem("it can't be verified: %v", err)
		return
	}
	var found map[string]any
	if !k.until(k.patience, func() bool {
		found = k.look("/verifications/"+id, "verification")
		return found != nil
	}) || found["status"] != "success" {
		k.problem("the verification says %v", found)
	}
}

// availableIn lists the checkpoints that the bank calls available, and what lies below their
// nodes.
func (k *killing) availableIn() map[string][]string {
	k.t.Helper()
	b, err := filebank.Open(context.Background(), filebank.Options{Path: filepath.Join(k.dir, "bank")})
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	newest := map[string]string{}
	nodes := map[string][]string{}
	for marker := ""; ; {
		infos, err := b.List(context.Background(), "v1/", marker, bank.MaxList)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, i := range infos {
			marker = i.Key
			parts := strings.Split(i.Key, "/")
			switch {
			case parts[1] == "states":
				newest[parts[3]] = i.Key
			case parts[1] == "checkpoints" && len(parts) > 4 && parts[4] == "nodes":
				nodes[parts[3]] = append(nodes[parts[3]], i.Key)
			}
		}
		if len(infos) < bank.MaxList {
			break
		}
	}
	out := map[string][]string{}
	for id, key := range newest {
		var state struct{ Status string }
		if err := bank.GetJSON(context.Background(), b, key, &state); err != nil {
			k.t.Fatal(err)
		}
		if state.Status == "available" {
			out[id] = nodes[id]
		}
	}
	return out
}

// stayed compares what readers of the bank found with what they find now: what was available
// then was whole.
func (k *killing) stayed(early map[string][]string) {
	now := k.availableIn()
	for id, keys := range early {
		later, there := now[id]
		if !there && k.work.want == "deleted" {
			continue
		}
		if !there || !slices.Equal(keys, later) {
			k.problem("checkpoint %s was available before it was whole: it had %d objects, and has %d (available: %t)", id, len(keys), len(later), there)
		}
	}
}

// discard deletes a resource of the tenant's, by its key in a result.
func (u *tenant) discard(key string) {
	u.t.Helper()
	kind, id, _ := strings.Cut(key, "#")
	path := map[string]string{
		"OS::Glance::Image": "/image/v2/images/", "OS::Cinder::Volume": "/volume/v3/" + u.user.ProjectID + "/volumes/",
	}[kind]
	a := u.cloud.Do(u.t, u.token, "DELETE", path+id, nil)
	if a.Status != http.StatusNoContent && a.Status != http.StatusAccepted {
		u.t.Errorf("the restored %s can't be deleted: %d %s", key, a.Status, a.Body)
	}
}

// tidy removes from the cloud what should not be there, so that one fault is told once.
func (k *killing) tidy(before, now []string) {
	for _, line := range now {
		member, id, _ := strings.Cut(line, " ")
		if slices.Contains(before, line) {
			continue
		}
		switch member {
		case "images":
			k.u.discard("OS::Glance::Image#" + id)
		case "volumes":
			k.u.discard("OS::Cinder::Volume#" + id)
		}
	}
}
