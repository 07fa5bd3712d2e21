package failure

import (
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// newest is the API that what has no other version is asked of.
const newest = drillVersion

// moreWorks are those that ask for more than one thing.
var moreWorks = []work{
	{name: "cancelled restore", want: "fail", log: "restore", logged: "error", ask: (*killing).askCancelled,
		fault: &fabric.Fault{Service: "glance", Method: "PUT", Path: ofBytes, Answer: fabric.AnswerHang}},
	{name: "copy", want: "finished", log: "copy", logged: "success", ask: (*killing).askCopy, warm: (*killing).warmCopy, fresh: true, kept: true, first: bulkData},
	{name: "drill", want: "finished", log: "drill", logged: "success", ask: (*killing).askDrill, after: (*killing).judgeDrill, probes: true},
}

// hangTime is how long it may take until a restore hangs.
const hangTime = 5 * time.Second

// askCancelled asks for a restore that hangs, and for its end.
func (k *killing) askCancelled() (string, string, error) {
	path, envelope, err := k.askRestore()
	if err != nil {
		return path, envelope, err
	}
	id := path[len("/restores/"):]
	// It is to have made something; after a kill it may hang no more.
	k.until(hangTime, func() bool {
		return slices.ContainsFunc(k.cloud.Faults().List(), func(f fabric.Fault) bool {
			return f.Answer == k.work.fault.Answer && f.Path == k.work.fault.Path && f.Acted > 0
		})
	})
	a, err := k.u.send("POST", "/v1/"+k.u.user.ProjectID+"/operations/"+id+"/action", `{"cancel": {"reason": "enough"}}`, "OpenStack-API-Version", newest)
	if err == nil && a.status/100 != 2 && a.status != 409 {
		err = fmt.Errorf("cancelling %s: %d %s", id, a.status, a.text)
	}
	return path, envelope, err
}

// askCopy asks for a copy of the episode's own checkpoint in the provider's other bank.
func (k *killing) askCopy() (string, string, error) {
	path := "/providers/" + bankProvider + "/copies"
	id, err := k.postTo(checkpoints(bankProvider)+"/action", fmt.Sprintf(`{"copy": {"plan_id": %q, "provider_id": %q, "checkpoint_ids": [%q]}}`, k.plan, bankProvider, k.checkpoint), "copy", path, "copies")
	return path + "/" + id, "copy", err
}

// warmCopy copies the whole checkpoint: the other bank gets its repository, and all that is no episode's own.
func (k *killing) warmCopy() {
	k.t.Helper()
	k.checkpoint, k.key = k.whole, "warm"
	path, envelope, err := k.askCopy()
	if err != nil {
		k.t.Fatal(err)
	}
	var found map[string]any
	if !k.until(k.patience, func() bool {
		found = k.look(path, envelope)
		return found != nil
	}) || found["status"] != k.work.want {
		k.t.Fatalf("the first copy is %v", found)
	}
}

// askDrill asks for a drill with each probe that this cloud can answer.
func (k *killing) askDrill() (string, string, error) {
	k.checkpoint = k.whole
	id, err := k.post("/drills", drillBody(k.whole, allProbes), "drill")
	return "/drills/" + id, "drill", err
}

// judgeDrill looks at the record of a drill that is over.
func (k *killing) judgeDrill(outcome map[string]any) {
	id, _ := outcome["id"].(string)
	if wrong := k.u.unproven(id); len(wrong) > 0 {
		k.problem("the record of drill %s: %q", id, wrong)
	}
}
