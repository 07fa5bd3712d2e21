package schedules

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// probed is longer than it takes until a delegation is tried that was lent a while ago.
const probed = 7 * time.Hour

// timed is a site whose service has the clock of its cloud, with a colleague of the tenant.
func timed(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, clock: &clock{}}
	s.now = s.clock.now
	s.open("karbor-volume-protection-plugin", "")
	if _, err := s.cloud.Keystone().AddUser("colleague", "", s.project, "member", "reader"); err != nil {
		t.Fatal(err)
	}
	return s
}

// pass lets time pass.
func (s *site) pass(d time.Duration) {
	s.t.Helper()
	s.clock.ahead.Add(int64(d))
	s.login()
}

// identity asks Keystone for something as an administrator.
func (s *site) identity(method, path string, body any, want int) {
	s.t.Helper()
	k := s.cloud.Identity(s.t, "admin")
	resp, err := k.Request(s.t.Context(), method, k.ServiceURL(strings.Split(strings.Trim(path, "/"), "/")...),
		&gophercloud.RequestOpts{JSONBody: body, OkCodes: []int{want}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		s.t.Error(err)
	}
}

// becomes waits until a scheduled operation is in a state, and gives the reason.
func (s *site) becomes(operation, state string) string {
	s.t.Helper()
	var shown map[string]any
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		shown, _ = s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
		if shown["state"] == state {
			reason, _ := shown["state_reason"].(string)
			return reason
		}
	}
	s.t.Fatalf("it is %v, want the state %s", shown, state)
	return ""
}

// daily makes a trigger that fires once, in a day, and a scheduled operation that protects a new
// volume then.
func (s *site) daily() string {
	s.t.Helper()
	at := s.now().UTC().Add(24 * time.Hour)
	trigger := made(s.call("POST", "/triggers", map[string]any{"trigger_info": map[string]any{"name": "t", "type": "time", "properties": map[string]any{
		"format": "calendar", "pattern": "BEGIN:VEVENT\nRDATE:" + at.Format("20060102T150405Z") + "\nEND:VEVENT",
	}}}), "trigger_info")
	return s.schedule("protect", trigger, map[string]any{"plan_id": s.plan()})
}

func TestAUserWhoIsGoneIsNoticedBeforeTheTimeComes(t *testing.T) {
	const refused = "Keystone refuses the delegation"
	for name, test := range map[string]struct {
		// loss and recovery are what an administrator does; recovery may be nil.
		loss, recovery func(s *site, user, role string)
		want           string
	}{
		"deleted": {
			loss: func(s *site, user, _ string) { s.identity("DELETE", "users/"+user, nil, http.StatusNoContent) },
			want: "the delegation has ended, or was revoked",
		},
		"disabled": {
			loss:     func(s *site, user, _ string) { s.enable(user, false) },
			recovery: func(s *site, user, _ string) { s.enable(user, true) },
			want:     refused,
		},
		"without a role": {
			loss:     func(s *site, user, role string) { s.identity("DELETE", s.grant(user, role), nil, http.StatusNoContent) },
			recovery: func(s *site, user, role string) { s.identity("PUT", s.grant(user, role), nil, http.StatusNoContent) },
			want:     refused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := timed(t)
			operation := s.daily()
			demo, _ := s.cloud.User("demo")
			s.who = "colleague"
			test.loss(s, demo.ID, "reader")
			s.pass(probed)
			noticed := s.becomes(operation, "broken")
			for _, want := range []string{"it can't act as its user any more", test.want, "update it"} {
				if !strings.Contains(noticed, want) {
					t.Errorf("the state's reason is %q, without %q", noticed, want)
				}
			}
			if test.recovery != nil {
				test.recovery(s, demo.ID, "reader")
				s.pass(probed)
				s.becomes(operation, "waiting")
				test.loss(s, demo.ID, "reader")
				s.pass(probed)
				s.becomes(operation, "broken")
			}
			// The time comes all the same, and the log has it.
			from := s.now()
			s.pass(24*time.Hour - s.ahead())
			s.until(operation, from, "error")
			if log := fmt.Sprint(s.call("GET", "/scheduled_operations/"+operation+"/runs", nil)); !strings.Contains(log, test.want) {
				t.Errorf("the log of runs is %s, without %q", log, test.want)
			}
			// The colleague takes it over.
			s.mend(operation)
		})
	}
}

// ahead is how much time has passed by the clock of the site that did not by that of the test.
func (s *site) ahead() time.Duration { return time.Duration(s.clock.ahead.Load()) }

// enable has an administrator enable or disable a user.
func (s *site) enable(user string, enabled bool) {
	s.t.Helper()
	s.identity("PATCH", "users/"+user, map[string]any{"user": map[string]any{"enabled": enabled}}, http.StatusOK)
}

// grant is the path of a user's role in the tenant's project.
func (s *site) grant(user, role string) string {
	return "projects/" + s.project + "/users/" + user + "/roles/" + role
}
