package failure

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// killing is a site whose service is killed again and again during one kind of work.
type killing struct {
	*site
	t       *testing.T
	u       *tenant
	work    work
	planted string
	// patience is how long an outcome may take.
	patience time.Duration
	// plan is that of the episode, standing what the whole checkpoint is of, fresh what is the episode's.
	plan            string
	standing, fresh []resource
	// whole is a checkpoint that is whole from the beginning, and has to stay so.
	whole string
	// size is that of what an episode has of its own.
	size int
	// checkpoint is the one of the episode, key the idempotency key of its request.
	checkpoint, key string
	// known are the ids that were told.
	known map[string]bool
	// episodes counts, and missed those whose place did not come; troubled those in which the cloud
	// did something wrong besides.
	episodes, missed, troubled int
	// deaths are the places at which it died.
	deaths []string
	// took is how long the work takes when nobody disturbs it.
	took time.Duration
	// disks are the digests of servers' disks.
	disks map[string]string
	// counted are what the undisturbed episode has asked of the cloud, by service and method.
	counted []fabric.Fault
	// trouble is the id of what the cloud does wrong besides.
	trouble string
	// judged counts the verifications that judge.
	judged int
	// problems are what was found to be wrong.
	problems []string
}

// The bytes of the images and volumes of an episode, and of a GiB of the cloud's; in a thorough run they fill
// several packs.
const (
	fewBytes, manyBytes = 2 << 20, 40 << 20
	smallGiB, largeGiB  = 4 << 20, 64 << 20
)

func newKilling(t *testing.T, w work, planted string) *killing {
	t.Helper()
	size, gib := fewBytes, int64(smallGiB)
	if setting(t, killsVariable, fewKills) >= thorough && planted == "" {
		size, gib = manyBytes, largeGiB
	}
	s := newSite(t, (*site).reachable, func(s *site) { s.gib, s.settle = gib, settle })
	k := &killing{site: s, t: t, u: s.tenant("demo"), work: w, planted: planted, patience: patience, size: size, known: map[string]bool{}, disks: map[string]string{}}
	k.unlimited()
	k.standing = []resource{k.u.image("disk", fewBytes)}
	if planted == "" && w.volumes() {
		k.standing = append(k.standing, k.u.filled("data", fewBytes))
	}
	switch {
	case w.probes:
		k.standing = []resource{k.u.server("shop")}
	case planted == "" && w.server && pliable:
		k.standing = append(k.standing, k.u.server("shop"))
	}
	k.plan = k.u.plan(bankProvider, k.standing...)
	k.whole = k.u.protect(bankProvider, k.plan)
	k.known[k.whole] = true
	if cp := k.u.settled(bankProvider, k.whole); cp["status"] != "available" {
		t.Fatalf("the checkpoint is %v", cp)
	}
	if w.warm != nil {
		w.warm(k)
	}
	s.kill()
	return k
}

// unlimited gives the project limits that it does not reach: with none, nothing would be set aside.
func (k *killing) unlimited() {
	k.t.Helper()
	admin := k.tenant("admin")
	if a := admin.ask("PUT", "/quotas/"+k.u.user.ProjectID, `{"quota": {"plans": 100000, "checkpoints": 100000, "gigabytes": 100000}}`, "OpenStack-API-Version", newest); a.status != http.StatusOK {
		k.t.Fatalf("the quotas: %d %s", a.status, a.text)
	}
}

// refreshed makes what the episode has of its own, and its plan.
func (k *killing) refreshed() {
	k.t.Helper()
	k.fresh = []resource{k.u.image("fresh disk", k.size)}
	if pliable && k.planted == "" {
		k.fresh = append(k.fresh, k.u.filled("fresh data", k.size))
	}
	k.plan = k.u.plan(bankProvider, append(k.fresh, k.standing...)...)
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
		"parameters": {"OS::Glance::Image": {"depth": "full"}, "OS::Cinder::Volume": {"depth": "full"}}}}`, bankProvider, checkpoint), "verification")
}

func (k *killing) askDelete() (string, string, error) {
	path := checkpoints(bankProvider) + "/" + k.checkpoint
	_, err := k.u.send("DELETE", "/v1/"+k.u.user.ProjectID+path, "")
	return path, "checkpoint", err
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
