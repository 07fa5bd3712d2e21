//go:build openstack

package schedules

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// enter logs in with the password.
func enter(ctx context.Context, t *testing.T, env map[string]string) *gophercloud.ProviderClient {
	t.Helper()
	p, err := openstack.AuthenticatedClient(ctx, gophercloud.AuthOptions{
		IdentityEndpoint: env["OS_AUTH_URL"], Username: env["OS_USERNAME"], Password: env["OS_PASSWORD"], DomainName: "Default",
		Scope: &gophercloud.AuthScope{ProjectName: env["OS_PROJECT_NAME"], DomainName: "Default"},
	})
	if err != nil {
		t.Fatal("logging in:", err)
	}
	return p
}

// volume makes a small volume of the tenant, which goes when the test ends.
func volume(t *testing.T, env map[string]string) string {
	t.Helper()
	open := func(ctx context.Context) *gophercloud.ServiceClient {
		client, err := openstack.NewBlockStorageV3(enter(ctx, t, env), gophercloud.EndpointOpts{Region: env["OS_REGION_NAME"]})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	made, err := volumes.Create(t.Context(), open(t.Context()), volumes.CreateOpts{Size: 1, Name: "karbor-test-schedules"}, nil).Extract()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := volumes.Delete(ctx, open(ctx), made.ID, volumes.DeleteOpts{Cascade: true}).ExtractErr(); err != nil {
			t.Errorf("removing the volume %s: %v", made.ID, err)
		}
	})
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if v, err := volumes.Get(t.Context(), open(t.Context()), made.ID).Extract(); err == nil && v.Status == "available" {
			return made.ID
		}
	}
	t.Fatalf("the volume %s does not become available", made.ID)
	return ""
}

// TestOpenStackScheduleGoesOnWhenTheUsersTokenIsDead has an ordinary member make a schedule
// that fires each minute, ends the member's token, and sees it fire three times more. It takes about five
// minutes. Tokens may live as short as a minute.
func TestOpenStackScheduleGoesOnWhenTheUsersTokenIsDead(t *testing.T) {
	alice, karbor := testcloudtest.OpenRC(t, "openrc-alpha"), testcloudtest.OpenRC(t, "openrc-karbor")
	s := &site{t: t, now: time.Now}
	login := func() *gophercloud.ProviderClient {
		p := enter(t.Context(), t, alice)
		s.token = p.TokenID
		return p
	}
	id := volume(t, alice)
	p := login()
	identity, err := openstack.NewIdentityV3(p, gophercloud.EndpointOpts{})
	if err != nil {
		t.Fatal(err)
	}
	project, err := tokens.Get(t.Context(), identity, s.token).ExtractProject()
	if err != nil {
		t.Fatal(err)
	}
	s.project = project.ID
	s.serve(alice["OS_AUTH_URL"], alice["OS_REGION_NAME"], karbor["OS_PASSWORD"], "karbor-volume-snapshot-plugin", "")
	login()
	plan := made(s.call("POST", "/plans", map[string]any{"plan": map[string]any{
		"name": "schedules", "provider_id": providerID, "parameters": map[string]any{},
		"resources": []any{map[string]any{"type": "OS::Cinder::Volume", "id": id, "name": "data"}},
	}}), "plan")
	trigger := made(s.call("POST", "/triggers", map[string]any{"trigger_info": map[string]any{
		"name": "minutely", "type": "time", "properties": map[string]any{"format": "crontab", "pattern": "* * * * *"},
	}}), "trigger_info")
	operation := s.schedule("retention_protect", trigger, map[string]any{"plan_id": plan, "max_backups": 1})
	dead := s.token
	identity.TokenID = dead
	identity.ProviderClient.ReauthFunc = nil
	if err := tokens.Revoke(t.Context(), identity, dead).Err; err != nil {
		t.Fatal("ending the user's token:", err)
	}
	if _, err := tokens.Get(t.Context(), identity, dead).Extract(); !gophercloud.ResponseCodeIs(err, http.StatusUnauthorized) {
		t.Fatalf("the user's token lives on: %v", err)
	}
	from := time.Now()
	for range 3 {
		from = s.fired(operation, from, login)
	}
	login()
	shown, _ := s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
	if d, _ := shown["delegation"].(map[string]any); d["type"] != "trust" || d["state"] != "good" || d["expires_at"] != nil {
		t.Errorf("the delegation is %v", d)
	}
	s.call("DELETE", "/scheduled_operations/"+operation, nil)
	s.clear(plan, login)
}

// fired waits for a run after a time that was a success, and gives when it was expected.
func (s *site) fired(operation string, after time.Time, login func() *gophercloud.ProviderClient) time.Time {
	s.t.Helper()
	var last []any
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Second) {
		login()
		last, _ = s.call("GET", "/scheduled_operations/"+operation+"/runs", nil)["runs"].([]any)
		for _, r := range last {
			run, _ := r.(map[string]any)
			expected, _ := run["expected_at"].(string)
			if at, err := time.Parse(time.RFC3339, expected); err == nil && at.After(after) && run["state"] == "success" {
				s.t.Logf("%s: success, started at %v", expected, run["started_at"])
				return at
			}
		}
	}
	s.t.Fatalf("runs are %v, want a success after %s", last, after)
	return after
}

// clear deletes the checkpoints of a plan.
func (s *site) clear(plan string, login func() *gophercloud.ProviderClient) {
	s.t.Helper()
	asked := map[string]bool{}
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(2 * time.Second) {
		login()
		left, _ := s.call("GET", "/providers/"+providerID+"/checkpoints?plan_id="+plan, nil)["checkpoints"].([]any)
		if len(left) == 0 {
			return
		}
		for _, c := range left {
			checkpoint, _ := c.(map[string]any)
			id, _ := checkpoint["id"].(string)
			if !asked[id] && checkpoint["status"] == "available" {
				asked[id] = true
				s.call("DELETE", "/providers/"+providerID+"/checkpoints/"+id, nil)
			}
		}
	}
	s.t.Error("its checkpoints can't be deleted")
}
