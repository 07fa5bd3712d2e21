package failure

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// killsVariable says how often the service is killed in all, and seedVariable chooses
// where if that is not enough for every boundary.
const (
	killsVariable = "KARBOR_KILLS"
	seedVariable  = "KARBOR_SEED"
	// fewKills are for a run of all the tests.
	fewKills = 15
	// thorough is from how many kills on whole volumes go through, too, which takes longer.
	thorough = 100
)

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, not a number", name, text)
	}
	return n
}

// work is an operation during which the service is killed.
type work struct {
	name string
	// ask asks for the operation, and gives where its outcome is seen. It may ask for what
	// it asked for before, should that have been lost.
	ask func(k *killing) (path, envelope string, err error)
	// want is the status in the end.
	want string
	// log is the operation of the log that goes with it, and how that ends.
	log, logged string
	// after removes what the operation was to make in the cloud.
	after func(k *killing, outcome map[string]any)
	// server says that the checkpoint is to hold a server with a volume.
	server bool
	// fault is what the cloud fails with all the time.
	fault *fabric.Fault
}

var works = []work{
	{name: "protect", want: "available", log: "protect", logged: "available", ask: (*killing).askProtect},
	{name: "restore", want: "success", log: "restore", logged: "success", ask: (*killing).askRestore, after: (*killing).dropRestored},
	{name: "failing restore", want: "fail", log: "restore", logged: "error", ask: (*killing).askRestore,
		fault: &fabric.Fault{Service: "glance", Method: "PUT", Path: ofBytes, Status: 413}},
	{name: "verify", want: "success", log: "verify", logged: "success", ask: (*killing).askVerify},
	{name: "delete", want: "deleted", log: "delete", logged: "deleted", ask: (*killing).askDelete},
}

// killing is a site whose service is killed again and again during one kind of work.
type killing struct {
	*site
	t       *testing.T
	u       *tenant
	work    work
	planted string
	// patience is how long an outcome may take.
	patience time.Duration
	plan     string
	// whole is a checkpoint that is whole from the beginning.
	whole string
	// checkpoint is the one of the episode, key the idempotency key of its request.
	checkpoint, key string
	// known are the ids that were told.
	known           map[string]bool
	episodes, kills int
	// took is how long the work takes when nobody disturbs it.
	took time.Duration
	// problems are what was found to be wrong.
	problems []string
}

func newKilling(t *testing.T, w work, planted string, volumes bool) *killing {
	t.Helper()
	s := newSite(t, (*site).reachable)
	k := &killing{site: s, t: t, u: s.tenant("demo"), work: w, planted: planted, patience: patience, known: map[string]bool{}}
	resources := []resource{k.u.image("disk", 2<<20)}
	if volumes {
		resources = append(resources, k.u.volume("data"))
	}
	if w.server {
		resources = []resource{k.u.server("shop")}
	}
	k.plan = k.u.plan(bankProvider, resources...)
	k.whole = k.u.protect(bankProvider, k.plan)
	k.known[k.whole] = true
	if cp := k.u.settled(bankProvider, k.whole); cp["status"] != "available" {
		t.Fatalf("the checkpoint is %v", cp)
	}
	s.kill()
	return k
}

func (k *killing) problem(format string, args ...any) {
	k.problems = append(k.problems, fmt.Sprintf("%s, episode %d: ", k.work.name, k.episodes)+fmt.Sprintf(format, args...))
}

// post sends a request that may be repeated.
func (k *killing) post(path, body, envelope string) (string, error) {
	return k.postTo(path, body, envelope, path, envelope+"s")
}

// postTo is post where what is made is listed elsewhere.
func (k *killing) postTo(path, body, envelope, listed, collection string) (string, error) {
	a, err := k.u.send("POST", "/v1/"+k.u.user.ProjectID+path, body, "OpenStack-API-Version", newest, "Idempotency-Key", k.key)
	if err != nil {
		return "", err
	}
	inner, _ := a.body[envelope].(map[string]any)
	id, _ := inner["id"].(string)
	if a.status == 409 && strings.Contains(a.message(), "its answer was lost") {
		id = k.unknown(listed, collection)
	}
	if id == "" {
		return "", fmt.Errorf("POST %s: %d %s", path, a.status, a.text)
	}
	k.known[id] = true
	return id, nil
}

// unknown gives the id of the newest of a list, if no answer has told it before: the service
// died after it had carried the request out, and before it answered.
func (k *killing) unknown(path, collection string) string {
	list, _ := k.u.ask("GET", path+"?limit=1", "", "OpenStack-API-Version", newest).body[collection].([]any)
	for _, item := range list {
		if id, _ := item.(map[string]any)["id"].(string); !k.known[id] {
			return id
		}
	}
	return ""
}

func (k *killing) askProtect() (string, string, error) {
	id, err := k.post(checkpoints(bankProvider), fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, k.plan), "checkpoint")
	k.checkpoint = id
	return checkpoints(bankProvider) + "/" + id, "checkpoint", err
}

func (k *killing) askRestore() (string, string, error) {
	k.checkpoint = k.whole
	id, err := k.post("/restores", restoreBody(bankProvider, k.whole), "restore")
	return "/restores/" + id, "restore", err
}

func (k *killing) askVerify() (string, string, error) {
	k.checkpoint = k.whole
	id, err := k.verify(k.whole)
	return "/verifications/" + id, "verification", err
}

// verify asks for a look at each byte of a checkpoint.
func (k *killing) verify(checkpoint string) (string, error) {
	return k.post("/verifications", fmt.Sprintf(`{"verification": {"provider_id": %q, "checkpoint_id": %q,
		"parameters": {"OS::Glance::Image": {"depth": "full"}}}}`, bankProvider, checkpoint), "verification")
}

func (k *killing) askDelete() (string, string, error) {
	path := checkpoints(bankProvider) + "/" + k.checkpoint
	_, err := k.u.send("DELETE", "/v1/"+k.u.user.ProjectID+path, "")
	return path, "checkpoint", err
}

// dropRestored deletes what a restore has made.
func (k *killing) dropRestored(outcome map[string]any) {
	states, _ := outcome["resources_status"].(map[string]any)
	for key := range states {
		k.u.discard(key)
	}
}

// launched starts a process of the service.
func (k *killing) launched(d *doom) {
	k.t.Helper()
	if d == nil && k.planted != "" {
		d = &doom{Planted: k.planted}
	}
	k.doom = d
	k.start()
}

// signalled sends the process a signal and waits for what it says.
func signalled[T any](k *killing, s syscall.Signal, said chan T) T {
	k.t.Helper()
	if err := k.process.cmd.Process.Signal(s); err != nil {
		k.t.Fatal(err)
	}
	var none T
	select {
	case v := <-said:
		return v
	case <-k.process.ended:
	case <-time.After(patience):
		k.t.Fatal("the process does not answer a signal")
	}
	return none
}

// episode does the work once. The service dies at a boundary, or after a while if at is 0 and
// while is not; it gives the boundaries that were passed when it did not die.
func (k *killing) episode(at int, while time.Duration) (passed int) {
	k.t.Helper()
	k.episodes++
	k.key = fmt.Sprintf("%s-%d-%d", k.work.name, k.episodes, at)
	if k.work.name == "delete" || k.work.name == "copy" {
		k.launched(nil)
		k.checkpoint = k.u.protect(bankProvider, k.plan)
		k.u.settled(bankProvider, k.checkpoint)
		k.kill()
	}
	if k.work.fault != nil {
		k.fault(*k.work.fault)
	}
	k.launched(&doom{At: at, Planted: k.planted})
	before := k.idle()
	signalled(k, arm, k.process.armed)
	asked := time.Now()
	path, envelope, err := k.work.ask(k)
	var outcome map[string]any
	over := func() bool {
		outcome = k.look(path, envelope)
		return outcome != nil
	}
	switch {
	case while > 0:
		select {
		case <-k.process.ended:
		case <-time.After(while):
		}
	case err == nil:
		k.until(k.patience, over)
	}
	if at > 0 || while > 0 {
		outcome = nil
		k.die(at == 0)
		if k.planted == lostOutbox {
			k.forget()
		}
		early := k.availableIn()
		k.launched(nil)
		if path, envelope, err = k.work.ask(k); err != nil {
			k.problem("what was asked for is not there any more: %v", err)
			return 0
		}
		if !k.until(k.patience, over) {
			k.problem("it has no end")
			k.kill()
			return 0
		}
		k.stayed(early)
	} else {
		k.took = time.Since(asked)
		passed = signalled(k, count, k.process.passed)
	}
	k.judge(outcome, before)
	k.cloud.Faults().Clear()
	k.kill()
	return passed
}

// die waits until the process has died of its doom, or kills it.
func (k *killing) die(now bool) {
	k.t.Helper()
	if !now {
		select {
		case <-k.process.ended:
		case <-time.After(time.Second): // it has fewer boundaries this time
		}
	}
	p := k.process
	k.kill()
	k.kills++
	k.note("%s: killed at %q", k.work.name, p.dies)
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

// pick chooses at which boundaries of n the service is killed.
func pick(r *rand.Rand, n, kills int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	if kills < n {
		r.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:kills]
		slices.Sort(all)
	}
	return all
}

// TestOperationsEndAsTheyWouldHaveWhereverTheServiceIsKilled kills it at the boundaries of its
// work, and, if there are kills left, at random moments.
func TestOperationsEndAsTheyWouldHaveWhereverTheServiceIsKilled(t *testing.T) {
	kills := setting(t, killsVariable, fewKills)
	seed := setting(t, seedVariable, 1)
	works := slices.DeleteFunc(append(slices.Clone(works), moreWorks...), func(w work) bool { return !w.possible() })
	for i, w := range works {
		t.Run(w.name, func(t *testing.T) {
			k := newKilling(t, w, "", w.volumes(kills))
			r := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
			passed := k.episode(0, 0)
			share := kills / len(works)
			chosen := pick(r, passed, share)
			for _, at := range chosen {
				k.episode(at, 0)
			}
			for range share - len(chosen) {
				k.episode(0, time.Duration(1+r.Int64N(int64(k.took))))
			}
			t.Logf("%-16s %3d boundaries, %3d kills at %d of them and %d at random moments, %d problems",
				w.name, passed, k.kills, len(chosen), share-len(chosen), len(k.problems))
			for _, p := range k.problems {
				t.Error(p)
			}
			if passed == 0 || k.kills != share {
				t.Errorf("it was killed %d times of %d", k.kills, share)
			}
		})
	}
}
