//go:build temporal

package scaleout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

const (
	vaultProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b05"
	twinProvider  = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b06"
)

// vaultFile is a provider whose bank has gates, and twinFile one whose copies lie in such a bank.
const (
	vaultFile = `id: ` + vaultProvider + `
name: vault
bank: {plugin: gated-file-bank, options: {path: %[1]s/vault}}
repository: {keys: [{file: %[1]s/bank.key}]}
plugins:
  - plugin: karbor-image-protection-plugin
    options: {poll_interval: 50ms, timeout: 20s}
`
	twinFile = `id: ` + twinProvider + `
name: twin
bank: {plugin: karbor-file-bank, options: {path: %[1]s/twin}}
repository: {keys: [{file: %[1]s/bank.key}]}
copies: [{name: offsite, bank: {plugin: gated-file-bank, options: {path: %[1]s/offsite}}}]
plugins:
  - plugin: karbor-image-protection-plugin
    options: {poll_interval: 50ms, timeout: 20s}
`
)

// works are operations of each kind, all at work at once, and some that wait.
type works struct {
	*tenant
	vault, offsite gates
	// image is what is restored, and had what the cloud has before.
	image string
	had   []string
	// What there is before: a checkpoint that is restored, one that is verified, one that is
	// deleted, and one that is copied, with its plan.
	whole, sound, doomed, source, sourcePlan string
	// What is asked for.
	protect, restore, verification, copy string
	queued                               []string
	// uploads and downloads are the faults that stop those.
	uploads, downloads string
}

// atWork is how many of the works may be at work; a deletion does not count.
const atWork = 4

// limited lets no more than the works be at work.
func limited(c *config.Config) { c.Operations.Limits.Project = atWork }

// provide gives the processes of the site that are started from now on a provider more.
func (s *site) provide(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "providers.d", name+".yaml"), fmt.Appendf(nil, text, s.dir), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// newWorks prepares a site for works. The processes are started afterwards, limited.
func newWorks(s *site) *works {
	s.t.Helper()
	s.provide("vault", vaultFile)
	s.provide("twin", twinFile)
	return &works{
		tenant: s.tenant(), vault: gates(filepath.Join(s.dir, "vault.gates")), offsite: gates(filepath.Join(s.dir, "offsite.gates")),
	}
}

// begin makes what the works need, begins them, and waits until each is held in its middle.
func (w *works) begin() {
	w.t.Helper()
	w.image = w.tenant.image()
	w.whole = w.tenant.protect(w.planOf(w.image))
	w.sound, w.doomed = w.protectIn(vaultProvider, w.planIn(vaultProvider, w.tenant.image())), w.protectIn(vaultProvider, w.planIn(vaultProvider, w.tenant.image()))
	w.sourcePlan = w.planIn(twinProvider, w.tenant.image())
	w.source = w.protectIn(twinProvider, w.sourcePlan)
	plan := w.plan()
	w.available(w.whole)
	for id, provider := range map[string]string{w.sound: vaultProvider, w.doomed: vaultProvider, w.source: twinProvider} {
		w.availableIn(provider, id)
	}
	w.had = w.inventory("images")

	w.downloads, w.uploads = w.hang("GET"), w.hang("PUT")
	w.vault.shut(w.site, readGate, 0)
	w.vault.shut(w.site, deleteGate, 0)
	w.offsite.shut(w.site, writeGate, 0)
	w.protect = w.tenant.protect(plan)
	w.restore = w.ask("POST", "/restores", map[string]any{"restore": map[string]any{"provider_id": imageProvider, "checkpoint_id": w.whole,
		"parameters": map[string]any{"OS::Glance::Image": map[string]any{"upload": "always"}}}}, "restore")["id"].(string)
	w.verification = w.verifying(vaultProvider, w.sound)
	w.copy = w.ask("POST", "/providers/"+twinProvider+"/checkpoints/action", map[string]any{"copy": map[string]any{
		"provider_id": twinProvider, "plan_id": w.sourcePlan, "checkpoint_ids": []string{w.source}}}, "copy")["id"].(string)
	w.ask("DELETE", "/providers/"+vaultProvider+"/checkpoints/"+w.doomed, nil, "")
	w.heldSince(nil)
	for range 2 {
		w.queued = append(w.queued, w.tenant.protect(plan))
	}
	for i, want := range []string{"it is the next of the project", "1 before it"} {
		w.await("what the queued ones wait for: "+want, func() bool { return strings.HasSuffix(strings.Join(w.waits(w.queued[i]), ""), want) })
	}
}

// hang has requests for an image's bytes hang, and gives the fault.
func (w *works) hang(method string) string {
	w.t.Helper()
	id, err := w.cloud.Faults().Add(fabric.Fault{Service: "glance", Method: method, Path: ofBytes, Answer: fabric.AnswerHang})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// held is how often each of the works was held.
func (w *works) held() map[string]int {
	out := map[string]int{
		"verify": len(w.vault.noted(readGate + ".stopped")), "delete": len(w.vault.noted(deleteGate + ".stopped")), "copy": len(w.offsite.noted(writeGate + ".stopped")),
	}
	for _, f := range w.cloud.Faults().List() {
		switch f.ID {
		case w.downloads:
			out["protect"] = f.Acted
		case w.uploads:
			out["restore"] = f.Acted
		}
	}
	return out
}

// heldSince waits until each of the works was held once more than before.
func (w *works) heldSince(before map[string]int) {
	w.t.Helper()
	for _, name := range []string{"protect", "restore", "copy", "verify", "delete"} {
		w.await("the "+name+", which is held", func() bool { return w.held()[name] > before[name] })
	}
}

// release lets all go on.
func (w *works) release() {
	w.t.Helper()
	w.cloud.Faults().Clear()
	w.vault.open(w.site, readGate)
	w.vault.open(w.site, deleteGate)
	w.offsite.open(w.site, writeGate)
}

// judge waits for each one's end, and looks at all that they touch.
func (w *works) judge() {
	w.t.Helper()
	for _, id := range append([]string{w.whole, w.protect}, w.queued...) {
		w.available(id)
	}
	w.verified(w.verification)
	w.over("/restores/"+w.restore, "restore", "success")
	w.over("/providers/"+twinProvider+"/copies/"+w.copy, "copy", "finished")
	w.await("the deletion", func() bool { return !slices.Contains(w.listedIn(vaultProvider), w.doomed) })
	w.judgeLogs()
	w.judgeCloud()
	for provider, n := range map[string]int{imageProvider: 4, vaultProvider: 1, twinProvider: 2} {
		list := w.listedIn(provider)
		if len(list) != n {
			w.t.Errorf("provider %s has %d checkpoints, want %d", provider, len(list), n)
		}
		for _, id := range list {
			w.verified(w.verifying(provider, id))
		}
	}
}

// judgeLogs looks whether each operation is in the log, once, and as it ended.
func (w *works) judgeLogs() {
	w.t.Helper()
	want := map[string][]string{
		"restore " + w.restore: {"success"}, "verify " + w.sound: {"success"}, "copy " + w.sourcePlan: {"success"}, "delete " + w.doomed: {"deleted"},
	}
	for _, id := range append([]string{w.whole, w.sound, w.doomed, w.source, w.protect}, w.queued...) {
		want["protect "+id] = []string{"available"}
	}
	got := map[string][]string{}
	for _, l := range w.all("/operation_logs", "operation_logs") {
		key := "checkpoint_id"
		switch l["operation_type"] {
		case "restore":
			key = "restore_id"
		case "copy":
			key = "plan_id"
		}
		name := fmt.Sprintf("%s %s", l["operation_type"], l[key])
		got[name] = append(got[name], fmt.Sprint(l["status"]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("the operation log (-want +got):\n%s", diff)
	}
}

// judgeCloud looks whether the cloud has what it had and the restored image, and nothing else.
func (w *works) judgeCloud() {
	w.t.Helper()
	w.await("the trusts to be given back", func() bool { return len(w.inventory("trusts")) == 0 })
	now := w.inventory("images")
	more := slices.DeleteFunc(slices.Clone(now), func(id string) bool { return slices.Contains(w.had, id) })
	if len(more) != 1 || len(now) != len(w.had)+1 {
		w.t.Fatalf("the cloud had the images %v, and has %v after one restore", w.had, now)
	}
	if !bytes.Equal(w.bytesOf(more[0]), w.bytesOf(w.image)) {
		w.t.Errorf("the restored image %s differs from the original", more[0])
	}
}

// inventory lists what the projects have in the cloud of a kind.
func (s *site) inventory(kind string) []string {
	s.t.Helper()
	admin := s.tenantOf("admin")
	a := s.cloud.Do(s.t, admin.token, "GET", map[string]string{
		"images": "/image/v2/images?limit=1000&visibility=all", "trusts": "/v3/OS-TRUST/trusts",
	}[kind], nil)
	var body map[string]json.RawMessage
	var items []struct{ ID string }
	if json.Unmarshal(a.Body, &body) != nil || json.Unmarshal(body[kind], &items) != nil || a.Status != http.StatusOK {
		s.t.Fatalf("listing the %s: %d %s", kind, a.Status, a.Body)
	}
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	slices.Sort(ids)
	return ids
}

// bytesOf gives the bytes of an image.
func (u *tenant) bytesOf(image string) []byte {
	u.t.Helper()
	a := u.cloud.Do(u.t, u.token, "GET", "/image/v2/images/"+image+"/file", nil)
	if a.Status != http.StatusOK || len(a.Body) == 0 {
		u.t.Errorf("the bytes of image %s: %d, %d bytes", image, a.Status, len(a.Body))
	}
	return a.Body
}
