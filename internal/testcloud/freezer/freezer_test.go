package freezer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor/internal/testcloud/freezer"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// site is a tenant with a volume in a cloud with Freezer.
type site struct {
	*testcloudtest.Cloud
	t      *testing.T
	volume string
}

func newSite(t *testing.T) site {
	t.Helper()
	s := site{Cloud: testcloudtest.Start(t), t: t}
	v, err := volumes.Create(t.Context(), s.Volumes(t, "demo"), volumes.CreateOpts{Name: "data", Size: 1}, nil).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.volume = v.ID
	testcloudtest.Await(t, "the volume", func() bool {
		now, err := volumes.Get(t.Context(), s.Volumes(t, "demo"), v.ID).Extract()
		return err == nil && now.Status == "available"
	})
	return s
}

// ask sends a request as a user to his own project's part of Freezer.
func (s site) ask(user, method, path string, body any) testcloudtest.Answer {
	s.t.Helper()
	u, _ := s.User(user)
	return s.Do(s.t, s.Client(s.t, user).Token(), method, "/backup/v2/"+u.ProjectID+path, body)
}

// into reads an answer.
func into(t *testing.T, a testcloudtest.Answer, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil || a.Status != http.StatusOK {
		t.Fatalf("the answer is %d, %s: %v", a.Status, a.Body, err)
	}
}

// job describes a job that backs the volume up.
func (s site) job(id, client string) map[string]any {
	return map[string]any{"job_id": id, "client_id": client, "job_schedule": map[string]any{"event": "start"}, "job_actions": []any{map[string]any{
		"action_id": "a-" + id, "max_retries": 0, "freezer_action": map[string]any{"action": "backup", "mode": "cindernative", "backup_name": "nightly", "cindernative_vol_id": s.volume}}}}
}

func (s site) result(id string) string {
	s.t.Helper()
	got := ""
	testcloudtest.Await(s.t, "the job", func() bool {
		var shown struct {
			Schedule struct{ Result string } `json:"job_schedule"`
		}
		into(s.t, s.ask("demo", http.MethodGet, "/jobs/"+id, nil), &shown)
		got = shown.Schedule.Result
		return got != ""
	})
	return got
}

func TestJobMakesABackupInCinderAndARecord(t *testing.T) {
	s := newSite(t)
	if answer := s.ask("demo", http.MethodPost, "/jobs", s.job("one", freezer.Scheduler)); answer.Status != http.StatusCreated {
		t.Fatalf("making the job gives %d, %s", answer.Status, answer.Body)
	}
	if got := s.result("one"); got != "success" {
		t.Errorf("the job ends with %q", got)
	}
	var known struct {
		Backups []struct {
			Metadata struct {
				Name string `json:"backup_name"`
				Job  string `json:"job_id"`
			} `json:"backup_metadata"`
		} `json:"backups"`
	}
	into(t, s.ask("demo", http.MethodGet, "/backups", nil), &known)
	if len(known.Backups) != 1 || known.Backups[0].Metadata.Name != "nightly" || known.Backups[0].Metadata.Job != "one" {
		t.Errorf("the records are %v", known.Backups)
	}
}

func TestRequestsAreAnsweredAsTheRealServiceDoes(t *testing.T) {
	s := newSite(t)
	project := func(user string) string { u, _ := s.User(user); return u.ProjectID }
	stranger := func(path string) int {
		return s.Do(t, s.Client(t, "other").Token(), http.MethodGet, "/backup/v2/"+project("demo")+path, nil).Status
	}
	for _, test := range []struct {
		name   string
		got    int
		status int
	}{
		{"a job for nobody", s.ask("demo", http.MethodPost, "/jobs", s.job("x", "nobody")).Status, http.StatusUnprocessableEntity},
		{"a job", s.ask("demo", http.MethodPost, "/jobs", s.job("y", freezer.Scheduler)).Status, http.StatusCreated},
		{"the same once more", s.ask("demo", http.MethodPost, "/jobs", s.job("y", freezer.Scheduler)).Status, http.StatusConflict},
		{"a job that is not there", s.ask("demo", http.MethodGet, "/jobs/none", nil).Status, http.StatusNotFound},
		{"an unknown event", s.ask("demo", http.MethodPost, "/jobs/y/event", map[string]any{"dance": nil}).Status, http.StatusBadRequest},
		{"the end of one that is not there", s.ask("demo", http.MethodDelete, "/jobs/none", nil).Status, http.StatusNoContent},
		{"another tenant's path", stranger("/jobs"), http.StatusForbidden},
		{"another tenant's job", s.ask("other", http.MethodGet, "/jobs/y", nil).Status, http.StatusNotFound},
		{"the end of a job", s.ask("demo", http.MethodDelete, "/jobs/y", nil).Status, http.StatusNoContent},
		{"its id once more", s.ask("demo", http.MethodPost, "/jobs", s.job("y", freezer.Scheduler)).Status, http.StatusConflict},
	} {
		if test.got != test.status {
			t.Errorf("%s is answered %d; want %d", test.name, test.got, test.status)
		}
	}
	// As in the real service, a refused job leaves its action behind.
	var left struct {
		Actions []struct {
			ID string `json:"action_id"`
		} `json:"actions"`
	}
	into(t, s.ask("demo", http.MethodGet, "/actions", nil), &left)
	if text := fmt.Sprint(left.Actions); text != "[{a-x} {a-y}]" {
		t.Errorf("the actions are %s", text)
	}
}
