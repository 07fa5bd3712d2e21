package volumefreezer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// job is a job of Freezer's as a scratch record keeps it. Its ids are chosen, and kept,
// before Freezer is asked for it: so it is found again after a crash, and removed.
type job struct {
	ID     string `json:"id,omitempty"`
	Action string `json:"action,omitempty"`
	// Vanished says that somebody has deleted it before its end. Its scheduler may be at it still.
	Vanished bool `json:"vanished,omitempty"`
}

// errVanished is the error of a wait for a job that somebody deletes.
var errVanished = errors.New("the job is gone")

// newJob chooses ids. Freezer's own have no dashes.
func newJob() job {
	id := func() string { return strings.ReplaceAll(karbor.NewID(), "-", "") }
	return job{ID: id(), Action: id()}
}

// freezer talks to Freezer for one call.
type freezer struct {
	client *gophercloud.ServiceClient
	call   *protection.Call
	room   *room
}

// reach gives a client of Freezer.
func (r *room) reach(ctx context.Context, call *protection.Call) (*freezer, error) {
	client, err := openstack.Backup(ctx, call.Cloud)
	return &freezer{client: client, call: call, room: r}, err
}

// url gives the address of something of the call's project.
func (f *freezer) url(parts ...string) string {
	return f.client.ServiceURL(append([]string{f.call.Cloud.ProjectID()}, parts...)...)
}

// jobState is what a job tells of itself.
type jobState struct {
	ClientID string `json:"client_id"`
	Schedule struct {
		Status string `json:"status"`
		Result string `json:"result"`
	} `json:"job_schedule"`
}

// The states and results of jobs.
const (
	running   = "running"
	stopped   = "stop"
	completed = "completed"
	success   = "success"
)

// over says that the job's scheduler is done with it.
func (s *jobState) over() bool {
	return s.Schedule.Result != "" || s.Schedule.Status == stopped || s.Schedule.Status == completed
}

// state asks for a job. The error is the client's own.
func (f *freezer) state(ctx context.Context, id string) (*jobState, error) {
	var s jobState
	_, err := f.client.Get(ctx, f.url("jobs", id), &s, nil)
	return &s, err
}

// ensure asks for the job, unless it is there. verb is the action, members what it takes
// beside what every action takes.
func (f *freezer) ensure(ctx context.Context, j job, verb string, members map[string]any) error {
	find := func(ctx context.Context) (string, error) {
		_, err := f.state(ctx, j.ID)
		if openstack.IsNotFound(err) {
			return "", nil
		}
		return j.ID, openstack.Explain(err, "reading Freezer's job for volume %s", f.call.Node.ID)
	}
	_, err := openstack.Make(ctx, f.call, "Freezer's job", find, func(ctx context.Context) (string, error) {
		scheduler, err := f.scheduler(ctx, verb)
		if err != nil {
			return "", err
		}
		action := map[string]any{"action": verb, "mode": mode, "backup_name": f.call.Name(), "storage": f.room.options.Storage}
		maps.Copy(action, members)
		body := map[string]any{
			"job_id": j.ID, "client_id": scheduler, "description": f.call.Name(), "job_schedule": map[string]any{"event": "start"},
			// Tried again, a backup would be made twice.
			"job_actions": []any{map[string]any{"action_id": j.Action, "max_retries": 0, "freezer_action": action}},
		}
		response, err := f.client.Post(ctx, f.url("jobs"), body, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}})
		if err != nil {
			return "", openstack.Explain(err, "asking Freezer to %s volume %s", verb, f.call.Node.ID)
		}
		return j.ID, response.Body.Close()
	})
	return err
}

// mode is the mode of Freezer's agent in which Cinder makes the backups.
const mode = "cindernative"

// await waits until a job has ended well. Freezer keeps no reason of one that has not.
func (f *freezer) await(ctx context.Context, j job) error {
	waiting, cancel := f.room.waits.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("Freezer's job %s for volume %s", j.ID, f.call.Node.ID)
	scheduler := ""
	err := openstack.Poll(waiting, what, f.room.waits.Longest, func(ctx context.Context) (bool, error) {
		s, err := f.state(ctx, j.ID)
		if openstack.IsNotFound(err) {
			return false, &karbor.Error{Kind: karbor.Conflict, Message: what + " was deleted before it ended", Cause: errVanished}
		}
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		scheduler = s.ClientID
		switch {
		case s.Schedule.Result == success:
			return true, nil
		case s.over():
			return false, karbor.Errorf(karbor.Conflict, "%s ended with the result %q: the log of the scheduler %s says why", what,
				protection.First(s.Schedule.Result, s.Schedule.Status), s.ClientID)
		}
		return false, nil
	})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil && scheduler != "" {
		return karbor.Errorf(karbor.Unavailable, "%s has not ended within %s: is the scheduler %s running?", what, f.room.waits.Timeout, scheduler)
	}
	return err
}

// stopTime is how long a scheduler, which looks for its jobs every minute, has to hear that
// one is to end.
const stopTime = 3 * time.Minute

// cancel ends a job that may still run, and removes it. A scheduler that does not answer
// is not waited for any longer than it takes one that does: a job that is gone is not begun.
func (f *freezer) cancel(ctx context.Context, j job) error {
	if j.ID == "" {
		return nil
	}
	waiting, cancel := openstack.Within(ctx, min(f.room.waits.Timeout, stopTime))
	defer cancel()
	asked := ""
	err := openstack.Poll(waiting, "Freezer's job to end", f.room.waits.Longest, func(ctx context.Context) (bool, error) {
		s, err := f.state(ctx, j.ID)
		if openstack.IsNotFound(err) || err == nil && s.over() {
			return true, nil
		}
		if err != nil {
			return false, openstack.Explain(err, "reading Freezer's job for volume %s", f.call.Node.ID)
		}
		// One that is only scheduled is taken out of the schedule by a stop alone.
		event := stopped
		if s.Schedule.Status == running {
			event = "abort"
		}
		if event == asked {
			return false, nil
		}
		response, err := f.client.Post(ctx, f.url("jobs", j.ID, "event"), map[string]any{event: nil}, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted}})
		if err != nil {
			return false, openstack.Explain(err, "ending Freezer's job for volume %s", f.call.Node.ID)
		}
		asked = event
		return false, response.Body.Close()
	})
	if err != nil && (ctx.Err() != nil || waiting.Err() == nil) {
		return err
	}
	return f.forget(ctx, j)
}

// lateTime is how long a backup is looked for that a scheduler may be about to ask Cinder for: its agent does so
// first of all.
const lateTime = time.Minute

// awaitLate waits for the backup and the record that the scheduler of a job may still make which somebody has
// deleted: nobody can stop it any more. There may be none.
func (f *freezer) awaitLate(ctx context.Context, client *gophercloud.ServiceClient) error {
	waiting, cancel := openstack.Within(ctx, min(f.room.waits.Timeout, lateTime))
	defer cancel()
	err := openstack.Poll(waiting, "a backup that Freezer may still make", f.room.waits.Longest, func(ctx context.Context) (bool, error) {
		ids, err := find(ctx, client, f.call)
		if err != nil || len(ids) == 0 {
			return false, err
		}
		known, err := f.records(ctx)
		return len(known) > 0, err
	})
	if waiting.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// forget removes a job and its action. Freezer does not mind if they are gone.
func (f *freezer) forget(ctx context.Context, j job) error {
	for _, path := range [][]string{{"jobs", j.ID}, {"actions", j.Action}} {
		if err := f.erase(ctx, path...); err != nil {
			return openstack.Explain(err, "removing Freezer's job for volume %s", f.call.Node.ID)
		}
	}
	return nil
}

// erase deletes something. The error is the client's own.
func (f *freezer) erase(ctx context.Context, path ...string) error {
	response, err := f.client.Delete(ctx, f.url(path...), &gophercloud.RequestOpts{OkCodes: []int{http.StatusNoContent}})
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// scheduler is a client of Freezer's: a scheduler that does jobs.
type scheduler struct {
	ID      string   `json:"client_id"`
	Central bool     `json:"is_central"`
	Actions []string `json:"supported_actions"`
	Modes   []string `json:"supported_modes"`
	Storage []string `json:"supported_storages"`
}

// can reports whether the scheduler says that it does such jobs. Older ones say nothing.
func (s scheduler) can(verb, storage string) bool {
	has := func(list []string, one string) bool { return len(list) == 0 || slices.Contains(list, one) }
	return s.ID != "" && has(s.Actions, verb) && has(s.Modes, mode) && has(s.Storage, storage)
}

// scheduler chooses who does the job: the operator's choice, or one of the project's own,
// the same one for a volume each time. A central one comes last, as Freezer needs a trust of
// the tenant's for it, which Keystone lets no session make that stands on a trust itself.
func (f *freezer) scheduler(ctx context.Context, verb string) (string, error) {
	if given := f.room.options.SchedulerClientID; given != "" {
		return given, nil
	}
	type entry struct {
		Client scheduler `json:"client"`
	}
	var own, central []string
	err := pages(ctx, f, "clients", func(e entry) {
		if e.Client.can(verb, f.room.options.Storage) {
			if e.Client.Central {
				central = append(central, e.Client.ID)
			} else {
				own = append(own, e.Client.ID)
			}
		}
	})
	if err != nil {
		return "", openstack.Explain(err, "listing Freezer's schedulers")
	}
	if len(own) == 0 {
		own = central
	}
	if len(own) == 0 {
		return "", karbor.Errorf(karbor.Conflict, "volume %s needs a scheduler of Freezer's that can %s volumes (mode %s), and the project has none: register one", f.call.Node.ID, verb, mode)
	}
	slices.Sort(own)
	h := fnv.New32a()
	_, _ = h.Write([]byte(f.call.Node.ID)) // it never fails
	return own[int(h.Sum32()%uint32(len(own)))], nil
}

const (
	pageSize = 100
	maxPages = 100
)

// pages gives all of a list to visit. The error is the client's own.
func pages[T any](ctx context.Context, f *freezer, kind string, visit func(T)) error {
	for page := range maxPages {
		var answer map[string][]T
		path := fmt.Sprintf("%s?limit=%d&offset=%d", f.url(kind), pageSize, page*pageSize)
		if _, err := f.client.Get(ctx, path, &answer, nil); err != nil {
			return err
		}
		for _, one := range answer[kind] {
			visit(one)
		}
		if len(answer[kind]) < pageSize {
			return nil
		}
	}
	return karbor.Errorf(karbor.OverLimit, "Freezer has too many %s", kind)
}
