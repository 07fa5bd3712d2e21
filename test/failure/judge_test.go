package failure

import (
	"context"
	"fmt"
	"math"
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
	if k.work.after != nil && outcome["status"] == k.work.want {
		k.work.after(k, outcome)
	}
	k.unchanged(before)
	k.judgeUsage()
	switch {
	case k.work.name == "protect" && outcome["status"] == "available":
		k.sound(k.checkpoint)
	case k.work.name == "copy" && outcome["status"] == "finished":
		k.judgeCopy(outcome)
	}
	k.sound(k.whole)
}

// unchanged compares the cloud with how it was.
func (k *killing) unchanged(before []string) {
	k.t.Helper()
	var now []string
	if !k.until(k.patience, func() bool {
		now = k.inventory()
		return slices.Equal(before, now)
	}) {
		k.problem("the cloud has changed (-before +now):\n%s", cmp.Diff(before, now))
		k.tidy(before, now)
	}
}

// judgeCopy has each byte of the copy verified.
func (k *killing) judgeCopy(outcome map[string]any) {
	made, _ := outcome["checkpoint_id"].([]any)
	if len(made) != 1 {
		k.problem("there is not one copy: %v", outcome)
		return
	}
	id, _ := made[0].(map[string]any)["checkpoint_copy_id"].(string)
	k.sound(id)
}

// judgeAll looks at all that the episodes have left: each checkpoint is whole, and the first one is
// restored to the byte.
func (k *killing) judgeAll() {
	k.t.Helper()
	k.launched(nil)
	list, _ := k.u.ask("GET", checkpoints(bankProvider), "").body["checkpoints"].([]any)
	for _, item := range list {
		cp, _ := item.(map[string]any)
		if id, _ := cp["id"].(string); cp["status"] == "available" && id != k.whole {
			k.sound(id)
		}
	}
	before := k.idle()
	k.restoredWhole(k.whole, k.standing)
	k.unchanged(before)
	k.kill()
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
	var counted map[string]any
	var want map[string]float64
	ok := k.until(5*time.Second, func() bool {
		a := k.u.ask("GET", "/quotas/"+k.u.user.ProjectID+"/detail", "", "OpenStack-API-Version", newest)
		counted, _ = a.body["quota"].(map[string]any)
		list, _ := k.u.ask("GET", checkpoints(bankProvider), "").body["checkpoints"].([]any)
		want = map[string]float64{"checkpoints": float64(len(list)), "gigabytes": 0}
		for _, item := range list {
			size, _ := item.(map[string]any)["size"].(float64)
			want["gigabytes"] += math.Ceil(size / (1 << 30))
		}
		for name, n := range want {
			if of, _ := counted[name].(map[string]any); of["in_use"] != n || of["reserved"] != 0.0 {
				return false
			}
		}
		return true
	})
	if !ok {
		k.problem("counted are %v, and there are %v", counted, want)
	}
}

// sound has each byte of a checkpoint verified.
func (k *killing) sound(checkpoint string) {
	k.t.Helper()
	defer func(key string) { k.key = key }(k.key)
	k.judged++
	k.key = fmt.Sprintf("judge-%d", k.judged)
	id, err := k.verify(checkpoint)
	if err != nil {
		k.problem("checkpoint %s can't be verified: %v", checkpoint, err)
		return
	}
	var found map[string]any
	if !k.until(k.patience, func() bool {
		found = k.look("/verifications/"+id, "verification")
		return found != nil
	}) || found["status"] != "success" || found["stand_in"] != nil {
		k.problem("the verification of checkpoint %s says %v", checkpoint, found)
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
