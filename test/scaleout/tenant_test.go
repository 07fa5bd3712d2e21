//go:build temporal

package scaleout

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// planIn makes a plan of images for a provider.
func (u *tenant) planIn(provider string, images ...string) string {
	u.t.Helper()
	resources := make([]map[string]string, len(images))
	for i, id := range images {
		resources[i] = map[string]string{"id": id, "type": "OS::Glance::Image", "name": fmt.Sprint("disk", i)}
	}
	plan := u.ask("POST", "/plans", map[string]any{"plan": map[string]any{
		"name": "p", "provider_id": provider, "parameters": map[string]any{}, "resources": resources}}, "plan")
	return plan["id"].(string)
}

// protectIn asks for a checkpoint of a provider.
func (u *tenant) protectIn(provider, plan string) string {
	u.t.Helper()
	path := "/providers/" + provider + "/checkpoints"
	return u.ask("POST", path, map[string]any{"checkpoint": map[string]any{"plan_id": plan}}, "checkpoint")["id"].(string)
}

// availableIn waits until a checkpoint of a provider is.
func (u *tenant) availableIn(provider, checkpoint string) {
	u.t.Helper()
	u.over("/providers/"+provider+"/checkpoints/"+checkpoint, "checkpoint", "available")
}

// over waits for the end of something, and looks how it ended.
func (u *tenant) over(path, envelope, want string) {
	u.t.Helper()
	passing := map[any]bool{"protecting": true, "in_progress": true, "verifying": true, "wait_copying": true, "copying": true}
	var found map[string]any
	u.await("the end of "+path, func() bool {
		found = u.ask("GET", path, nil, envelope)
		return !passing[found["status"]]
	})
	if found["status"] != want {
		u.t.Errorf("%s is not %s: %v", path, want, found)
	}
}

// waits says, of each resource of an operation that waits, what for.
func (u *tenant) waits(operation string) (all []string) {
	u.t.Helper()
	list, _ := u.ask("GET", "/operations/"+operation, nil, "operation")["progress"].([]any)
	for _, item := range list {
		if text, _ := item.(map[string]any)["waiting"].(string); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// verifying has a checkpoint of a provider verified, byte for byte, and gives the verification.
func (u *tenant) verifying(provider, checkpoint string) string {
	u.t.Helper()
	return u.ask("POST", "/verifications", map[string]any{"verification": map[string]any{
		"provider_id": provider, "checkpoint_id": checkpoint,
		"parameters": map[string]any{"OS::Glance::Image": map[string]any{"depth": "full"}}}}, "verification")["id"].(string)
}

// verified waits for the result of a verification.
func (u *tenant) verified(verification string) {
	u.t.Helper()
	u.over("/verifications/"+verification, "verification", "success")
}

// verify has a checkpoint verified, and waits for the result.
func (u *tenant) verify(checkpoint string) {
	u.t.Helper()
	u.verified(u.verifying(imageProvider, checkpoint))
}

// all gives the items of a list.
func (u *tenant) all(path, member string) []map[string]any {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), http.MethodGet, u.api+"/v1/"+u.project+path+"?limit=1000", nil)
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", u.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	var list map[string]json.RawMessage
	var items []map[string]any
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || res.StatusCode != http.StatusOK {
		u.t.Fatalf("listing %s: %d, %v", path, res.StatusCode, err)
	}
	if err := json.Unmarshal(list[member], &items); err != nil {
		u.t.Fatalf("listing %s: %v", path, err)
	}
	return items
}

// listedIn gives the ids of all checkpoints of a provider.
func (u *tenant) listedIn(provider string) []string {
	u.t.Helper()
	items := u.all("/providers/"+provider+"/checkpoints", "checkpoints")
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i]["id"].(string)
	}
	return ids
}

// listed gives the ids of all checkpoints of the provider of images.
func (u *tenant) listed() []string {
	u.t.Helper()
	return u.listedIn(imageProvider)
}
