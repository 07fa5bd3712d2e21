package freezer

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// job is a job as it is kept. One that is deleted keeps its id: nobody gets that again.
type job struct {
	ID          string   `json:"id"`
	Project     string   `json:"project"`
	User        string   `json:"user"`
	Client      string   `json:"client"`
	Description string   `json:"description"`
	Actions     []string `json:"actions"`
	Event       string   `json:"event"`
	Status      string   `json:"status"`
	Result      string   `json:"result"`
	Created     int64    `json:"created"`
	Started     int64    `json:"started"`
	Ended       int64    `json:"ended"`
	Deleted     bool     `json:"deleted"`
	Token       string   `json:"token"` // of who made it: the agent's
}

// The states and results of jobs.
const (
	scheduled = "scheduled"
	running   = "running"
	stopped   = "stop"
	completed = "completed"
	succeeded = "success"
	failed    = "fail"
	aborted   = "aborted"
)

// open says that the scheduler has the job still to do.
func (j job) open() bool { return j.Status != completed && j.Status != stopped }

// action is what a job does.
type action struct {
	ID      string         `json:"action_id"`
	Project string         `json:"project_id"`
	Do      map[string]any `json:"freezer_action"`
	Retries int            `json:"max_retries"`
	Pause   int            `json:"max_retries_interval"`
	Deleted bool           `json:"deleted,omitempty"`
}

// text gives a member of what the action does.
func (a action) text(name string) string {
	text, _ := a.Do[name].(string)
	return text
}

func (z *Freezer) show(j job) any {
	actions := []any{}
	for _, id := range j.Actions {
		if a, ok := z.actions.Get(id); ok && !a.Deleted {
			actions = append(actions, a)
		}
	}
	return map[string]any{"job_id": j.ID, "project_id": j.Project, "user_id": j.User, "client_id": j.Client, "description": j.Description,
		"session_id": "", "session_tag": 0, "job_actions": actions, "job_schedule": map[string]any{"event": j.Event, "status": j.Status, "result": j.Result,
			"time_created": j.Created, "time_started": j.Started, "time_ended": j.Ended}}
}

// job gives a job of the request's project.
func (z *Freezer) job(r *fabric.Request) (job, bool) {
	j, ok := z.jobs.Get(r.PathValue("id"))
	return j, ok && !j.Deleted && j.Project == r.ProjectID
}

func (z *Freezer) jobRoutes() {
	z.handle("GET", "/jobs", reads, func(r *fabric.Request) error {
		return list(r, "jobs", z.jobs.List(func(j job) bool { return j.Project == r.ProjectID && !j.Deleted }), z.show)
	})
	z.handle("POST", "/jobs", writes, z.createJob)
	z.handle("GET", "/jobs/{id}", reads, func(r *fabric.Request) error {
		j, ok := z.job(r)
		if !ok {
			return r.Empty(http.StatusNotFound)
		}
		return r.JSON(http.StatusOK, z.show(j))
	})
	z.handle("DELETE", "/jobs/{id}", writes, func(r *fabric.Request) error {
		if j, ok := z.job(r); ok {
			_, _, _ = z.jobs.Update(j.ID, func(j *job) error { j.Deleted = true; return nil })
		}
		return r.Empty(http.StatusNoContent)
	})
	z.handle("POST", "/jobs/{id}/event", writes, z.tell)
}

// idPattern is what Freezer takes for an id.
var idPattern = regexp.MustCompile(`^[\w-]+$`)

func (z *Freezer) createJob(r *fabric.Request) error {
	var body struct {
		ID          string `json:"job_id"`
		Client      string `json:"client_id"`
		Description string `json:"description"`
		Schedule    struct {
			Event string `json:"event"`
		} `json:"job_schedule"`
		Actions []action `json:"job_actions"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if body.ID == "" {
		body.ID = strings.ReplaceAll(fabric.NewID(), "-", "")
	}
	if !idPattern.MatchString(body.ID) || body.Client == "" || body.Actions == nil {
		return fabric.BadRequest("'job_id', 'client_id' and 'job_actions' are required properties")
	}
	// As the real one: actions come first, and stay if the job is refused.
	ids := make([]string, 0, len(body.Actions))
	for _, a := range body.Actions {
		id, err := z.addAction(r.ProjectID, a)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if _, taken := z.jobs.Get(body.ID); taken {
		return fabric.Conflict("Job already registered with ID %s", body.ID)
	}
	c, known := z.client(r.ProjectID, body.Client)
	switch {
	case !known:
		return fabric.Errorf(http.StatusUnprocessableEntity, "Client not found with ID %s", body.Client)
	case c.Central && (r.TrustID != "" || r.AppCredentialID != "" && !r.Unrestricted):
		// Keystone makes no trust for who stands on one, which the service does not expect.
		return fabric.Errorf(http.StatusInternalServerError, "An unexpected error occurred.")
	}
	j := job{ID: body.ID, Project: r.ProjectID, User: r.UserID, Client: body.Client, Description: body.Description, Actions: ids, Event: body.Schedule.Event,
		Created: z.fab.Clock.Now().Unix(), Started: -1, Ended: -1, Token: r.Header.Get("X-Auth-Token")}
	z.jobs.Put(j.ID, j)
	z.begin(j.ID)
	return r.JSON(http.StatusCreated, map[string]any{"job_id": j.ID})
}

// addAction keeps an action, unless the same is there.
func (z *Freezer) addAction(project string, a action) (string, error) {
	if a.ID == "" {
		a.ID = strings.ReplaceAll(fabric.NewID(), "-", "")
	}
	a.Project = project
	there, ok := z.actions.Get(a.ID)
	if !ok {
		z.actions.Put(a.ID, a)
		return a.ID, nil
	}
	same := func(o action) string { text, _ := json.Marshal(o.Do); return string(text) }
	if there.Deleted || there.Project != project || same(there) != same(a) {
		return "", fabric.Conflict("Action already registered with ID %s", a.ID)
	}
	return a.ID, nil
}

func (z *Freezer) actionRoutes() {
	z.handle("GET", "/actions", reads, func(r *fabric.Request) error {
		return list(r, "actions", z.actions.List(func(a action) bool { return a.Project == r.ProjectID && !a.Deleted }), func(a action) any { return a })
	})
	z.handle("DELETE", "/actions/{id}", writes, func(r *fabric.Request) error {
		_, _, _ = z.actions.Update(r.PathValue("id"), func(a *action) error {
			if a.Project == r.ProjectID {
				a.Deleted = true
			}
			return nil
		})
		return r.Empty(http.StatusNoContent)
	})
}

// tell gives a job an event.
func (z *Freezer) tell(r *fabric.Request) error {
	var body map[string]any
	if err := r.Decode(&body); err != nil {
		return err
	}
	j, ok := z.job(r)
	if !ok {
		return fabric.NotFound("Job not found")
	}
	for event := range body {
		switch event {
		case "start", "stop", "abort":
		default:
			return fabric.BadRequest("Bad Action Method")
		}
		result := "success"
		_, _, _ = z.jobs.Update(j.ID, func(j *job) error {
			if j.Event == event {
				result = event + " already requested"
				return nil
			}
			j.Event = event
			if event == "start" {
				j.Status, j.Result = "", ""
			}
			return nil
		})
		if event == "start" {
			z.begin(j.ID)
		} else {
			z.halt(j.ID)
		}
		return r.JSON(http.StatusAccepted, map[string]any{"result": result})
	}
	return fabric.BadRequest("Bad event request format")
}
