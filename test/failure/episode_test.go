package failure

import (
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// death is how the service dies in an episode: at a place, or after a while; or not at all.
type death struct {
	place *place
	after time.Duration
	// trouble is what the cloud fails with besides, for a time.
	trouble *fabric.Fault
}

// episode does the work once. It gives the places that were passed when nothing died, and
// otherwise whether the service died where it was to.
func (k *killing) episode(d death) (passed []place, died bool) {
	k.t.Helper()
	k.episodes++
	k.key = fmt.Sprintf("%s-%d", k.work.name, k.episodes)
	k.prepared()
	k.launched(d.doomed(k.planted))
	before := k.idle()
	counters := k.armed(d)
	signalled(k, arm, k.process.armed)
	asked := time.Now()
	path, envelope, err := k.asked()
	var outcome map[string]any
	over := func() bool {
		outcome = k.look(path, envelope)
		return outcome != nil
	}
	if d.place == nil && d.after == 0 {
		if err != nil || !k.until(k.patience, over) {
			k.problem("undisturbed it has no end: %v", err)
		}
		k.took = time.Since(asked)
		passed = k.places(counters, signalled(k, count, k.process.passed))
	} else {
		died = k.died(d, err == nil, over)
		early := k.availableIn()
		k.launched(nil)
		outcome = nil
		if path, envelope, err = k.asked(); err != nil {
			k.problem("what was asked for is not there any more: %v", err)
		} else if !k.until(k.patience, over) {
			k.problem("it has no end")
		}
		if outcome == nil {
			k.cloud.Faults().Clear()
			k.kill()
			return nil, died
		}
		k.stayed(early)
	}
	if d.trouble != nil && k.acted(k.trouble) {
		k.troubled++
	}
	k.cloud.Faults().Clear()
	k.judge(outcome, before)
	for _, r := range k.fresh {
		k.u.discard(r.key())
	}
	k.fresh = nil
	k.kill()
	return passed, died
}

// prepared makes what the episode needs, in a process that nobody kills.
func (k *killing) prepared() {
	k.t.Helper()
	if !k.work.fresh {
		return
	}
	k.launched(nil)
	k.refreshed()
	if k.work.kept {
		k.checkpoint = k.u.protect(bankProvider, k.plan)
		k.known[k.checkpoint] = true
		k.u.settled(bankProvider, k.checkpoint)
	}
	k.kill()
}

// asked asks for the work, as a tenant does whom a service in trouble tells to come again.
func (k *killing) asked() (path, envelope string, err error) {
	for range 4 {
		path, envelope, err = k.work.ask(k)
		select {
		case <-k.process.ended:
			return path, envelope, err
		default:
		}
		if err == nil {
			break
		}
		k.note("%s: asked in vain: %v", k.work.name, err)
	}
	return path, envelope, err
}

// died waits until the process has died of its doom, and kills it where that does not come or
// is not its own to do. It says whether it died where it was to.
func (k *killing) died(d death, asked bool, over func() bool) (there bool) {
	k.t.Helper()
	p := k.process
	struck := func() bool { return false }
	if d.place != nil {
		struck = func() bool { return k.acted(d.place.fault) }
	}
	switch {
	case d.after > 0:
		select {
		case <-p.ended:
		case <-time.After(d.after):
		}
	case asked:
		k.until(k.patience, func() bool { return struck() || over() })
	}
	if d.place != nil && !struck() {
		select {
		case <-p.ended:
		case <-time.After(time.Second): // it may come behind the outcome
		}
	}
	there = d.after > 0 || struck()
	k.kill()
	at := p.dies
	switch {
	case p.dies != "":
		there = true
	case d.place != nil && there:
		at = d.place.String()
	case d.place == nil:
		at = fmt.Sprint("a random moment, after ", d.after)
	default:
		k.missed++
		k.t.Logf("episode %d did not come to %s again", k.episodes, d.place)
		at = "the end: it did not come to " + d.place.String()
	}
	if there && d.place != nil {
		k.deaths = append(k.deaths, d.place.String())
	}
	k.note("%s: killed at %s; trouble: %+v", k.work.name, at, d.trouble)
	if k.planted == lostOutbox {
		k.forget()
	}
	return there
}

func (k *killing) note(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fmt.Fprintf(&k.log, "--- "+format+"\n", args...)
}

// look gives the outcome if there is one.
func (k *killing) look(path, envelope string) map[string]any {
	a, err := k.u.send("GET", "/v1/"+k.u.user.ProjectID+path, "", "OpenStack-API-Version", newest)
	switch {
	case err != nil:
		return nil
	case a.status == 404:
		return map[string]any{"status": "deleted"}
	}
	found, _ := a.body[envelope].(map[string]any)
	if slices.Contains(passing, found["status"]) || slices.Contains([]any{"verifying", "wait_copying", "copying", "running"}, found["status"]) {
		return nil
	}
	return found
}

// until asks again and again until done, or until the process has ended.
func (k *killing) until(patience time.Duration, done func() bool) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-k.process.ended:
			return false
		case <-end.C:
			return false
		}
	}
	return true
}
