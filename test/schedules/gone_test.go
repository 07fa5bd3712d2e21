package schedules

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/trusts"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// protecting makes a trigger, and a scheduled operation that protects a new volume.
func (s *site) protecting() (operation, trigger string) {
	s.t.Helper()
	trigger = made(s.call("POST", "/triggers", map[string]any{"trigger_info": map[string]any{
		"name": "t", "type": "time", "properties": in(time.Hour),
	}}), "trigger_info")
	return s.schedule("protect", trigger, map[string]any{"plan_id": s.plan()}), trigger
}

// broken waits for a run after a time that failed as nobody can act as its user, and
// checks that the scheduled operation says so.
func (s *site) broken(operation string, after time.Time) {
	s.t.Helper()
	s.until(operation, after, "error")
	shown, _ := s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
	reason, _ := shown["state_reason"].(string)
	if shown["state"] != "broken" || !strings.Contains(reason, "it can't act as its user any more") || !strings.Contains(reason, "update it") {
		s.t.Errorf("it is %v: %s", shown["state"], reason)
	}
}

// mend has the user lend their rights again.
func (s *site) mend(operation string) {
	s.t.Helper()
	s.call("PUT", "/scheduled_operations/"+operation, map[string]any{"scheduled_operation": map[string]any{"renew": true}})
	shown, _ := s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
	if d, _ := shown["delegation"].(map[string]any); d["state"] != "good" {
		s.t.Errorf("after the renewal it is %v", shown)
	}
}

func TestALostRoleBreaksWhatWasLentWithIt(t *testing.T) {
	s := newSite(t)
	demo, _ := s.cloud.User("demo")
	if err := s.cloud.Keystone().Grant(demo.ID, s.project, "reader"); err != nil {
		t.Fatal(err)
	}
	s.login()
	operation, trigger := s.protecting()
	if err := s.cloud.Keystone().Revoke(demo.ID, s.project, "reader"); err != nil {
		t.Fatal(err)
	}
	s.broken(operation, s.soon(trigger))
	s.mend(operation)
	s.until(operation, s.soon(trigger), "success")
}

func TestATrustThatItsUserDeletesBreaksTheSchedule(t *testing.T) {
	s := newSite(t)
	operation, trigger := s.protecting()
	keystone := s.cloud.Identity(t, "demo")
	demo, _ := s.cloud.User("demo")
	pages, err := trusts.List(keystone, trusts.ListOpts{TrustorUserID: demo.ID}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := trusts.ExtractTrusts(pages)
	if err != nil || len(all) != 1 {
		t.Fatalf("the user has given %v, %v", all, err)
	}
	if err := trusts.Delete(t.Context(), keystone, all[0].ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.broken(operation, s.soon(trigger))
	s.mend(operation)
}

func TestAnExpiredTrustBreaksTheSchedule(t *testing.T) {
	const lifetime = 24 * time.Hour
	s := openSite(t, "karbor-volume-protection-plugin", "", func(c *config.Config) { c.Schedules.DelegationLifetime = lifetime })
	operation, trigger := s.protecting()
	shown, _ := s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
	if d, _ := shown["delegation"].(map[string]any); d["expires_at"] == nil {
		t.Errorf("the delegation is %v", d)
	}
	s.clock.ahead.Add(int64(lifetime))
	s.login()
	s.broken(operation, s.soon(trigger))
}

func TestARunWaitsForAKeystoneThatIsAwayAtItsTime(t *testing.T) {
	s := newSite(t)
	operation, trigger := s.protecting()
	from := s.soon(trigger)
	// The service's own token, and the user's, are known from here on; that of the trust is not.
	s.call("GET", "/scheduled_operations/"+operation, nil)
	fault := fabric.Fault{Service: "keystone", Method: http.MethodPost, Path: "/v3/auth/tokens", Status: http.StatusServiceUnavailable, Times: 6}
	if _, err := s.cloud.Faults().Add(fault); err != nil {
		t.Fatal(err)
	}
	s.until(operation, from, "success")
	if acted := s.cloud.Faults().List()[0].Acted; acted == 0 {
		t.Error("Keystone was not asked while it was away")
	}
}

func TestAPlanUnderAScheduleStays(t *testing.T) {
	s := newSite(t)
	operation, _ := s.protecting()
	shown, _ := s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
	definition, _ := shown["operation_definition"].(map[string]any)
	plan, _ := definition["plan_id"].(string)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.api+"/v1/"+s.project+"/plans/"+plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", s.token)
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusFailedDependency {
		t.Errorf("deleting the plan of a schedule: %s", resp.Status)
	}
}

// A token of the trust may be good for a while when the role goes: Keystone forbids to look it
// up from then on, and the cloud's services say that Keystone is away.
func TestARoleThatIsLostUnderALiveTokenBreaksWhatWasLentWithIt(t *testing.T) {
	s := newSite(t)
	demo, _ := s.cloud.User("demo")
	if err := s.cloud.Keystone().Grant(demo.ID, s.project, "reader"); err != nil {
		t.Fatal(err)
	}
	s.login()
	operation, trigger := s.protecting()
	s.until(operation, s.soon(trigger), "success")
	if err := s.cloud.Keystone().Revoke(demo.ID, s.project, "reader"); err != nil {
		t.Fatal(err)
	}
	s.login()
	from := time.Now()
	s.call("PUT", "/triggers/"+trigger, map[string]any{"trigger_info": map[string]any{"properties": in(2 * time.Second)}})
	s.broken(operation, from)
}
