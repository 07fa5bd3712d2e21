package freezer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// begin has the scheduler take a job, and the agent do it.
func (z *Freezer) begin(id string) {
	j, _ := z.jobs.Get(id)
	z.fab.Transit(serviceName, "job.start", j.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		j, ok, err := z.jobs.Update(id, func(j *job) error {
			if j.Deleted || !j.open() || j.Event == "stop" || j.Event == "abort" {
				return errGone
			}
			j.Event, j.Status, j.Result, j.Started = "", running, "", z.fab.Clock.Now().Unix()
			return nil
		})
		if !ok || err != nil {
			return
		}
		z.fab.Transit(serviceName, "job.run", j.Project, func(ctx context.Context, broken bool) {
			if ctx.Err() != nil {
				return
			}
			z.run(ctx, j.ID, fail || broken)
		})
	})
}

var errGone = errors.New("the job is not to be done")

// run does a job's actions, and writes down what came of them.
func (z *Freezer) run(ctx context.Context, id string, broken bool) {
	j, ok := z.jobs.Get(id)
	if !ok || j.Status != running {
		return // it was ended meanwhile
	}
	result := succeeded
	for _, one := range j.Actions {
		a, ok := z.actions.Get(one)
		if !ok || broken || z.act(ctx, j, a) != nil {
			result = failed
			break
		}
	}
	if ctx.Err() != nil {
		return
	}
	z.end(id, completed, result)
}

// halt ends a job that is not begun, or is being done.
func (z *Freezer) halt(id string) {
	j, _ := z.jobs.Get(id)
	z.fab.Transit(serviceName, "job.stop", j.Project, func(context.Context, bool) {
		now, ok := z.jobs.Get(id)
		switch {
		case !ok || !now.open():
		case now.Status == running && now.Event == "abort":
			z.end(id, completed, aborted)
		case now.Status != running:
			z.end(id, stopped, "")
		}
	})
}

func (z *Freezer) end(id, status, result string) {
	_, _, _ = z.jobs.Update(id, func(j *job) error {
		if j.open() {
			j.Status, j.Result, j.Event, j.Ended = status, result, "", z.fab.Clock.Now().Unix()
		}
		return nil
	})
}

// act is the agent: it does one action.
func (z *Freezer) act(ctx context.Context, j job, a action) error {
	volume := a.text("cindernative_vol_id")
	if a.text("mode") != "cindernative" || volume == "" {
		return errors.New("the agent knows the mode cindernative alone")
	}
	switch a.text("action") {
	case "backup":
		name, container := a.text("backup_name"), a.text("container")
		if strings.Contains(container, "/") || strings.ContainsAny(name, "{}%") {
			return errors.New("the agent can't take these names")
		}
		err := z.cinder(ctx, j, "/backups", map[string]any{"backup": map[string]any{"volume_id": volume, "container": container, "name": name,
			"description": "Backup created by Freezer for volume " + volume, "force": true, "incremental": a.Do["incremental"] == true}})
		if err == nil {
			z.remember(j, a)
		}
		return err
	case "restore":
		from := a.text("cindernative_backup_id")
		if from == "" {
			return errors.New("the newest backup is not looked for")
		}
		return z.cinder(ctx, j, "/backups/"+from+"/restore", map[string]any{"restore": map[string]any{"volume_id": volume}})
	}
	return fmt.Errorf("the agent does not know the action %q", a.text("action"))
}

// cinder asks the cloud's Cinder for something.
func (z *Freezer) cinder(ctx context.Context, j job, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, z.fab.Base()+"/volume/v3/"+j.Project+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("X-Auth-Token", j.Token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := z.agent.Do(r)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("the cloud answers %d", answer.StatusCode)
	}
	return errors.Join(err, answer.Body.Close())
}

// backup is the record of a backup.
type backup struct {
	ID       string         `json:"backup_id"`
	Project  string         `json:"project_id"`
	User     string         `json:"user_id"`
	Status   string         `json:"status"`
	Metadata map[string]any `json:"backup_metadata"`
}

// remember keeps the record that the agent sends.
func (z *Freezer) remember(j job, a action) {
	b := backup{ID: strings.ReplaceAll(fabric.NewID(), "-", ""), Project: j.Project, User: j.User, Status: "available", Metadata: map[string]any{
		"job_id": j.ID, "backup_name": a.text("backup_name"), "container": a.text("container"), "mode": a.text("mode"), "action": "backup",
		"backup_media": "cindernative", "curr_backup_level": 0, "client_os": "linux", "hostname": "node-1", "time_stamp": z.fab.Clock.Now().Unix(), "storage": a.text("storage")}}
	z.backups.Put(b.ID, b)
}

func (z *Freezer) backupRoutes() {
	z.handle("GET", "/backups", reads, func(r *fabric.Request) error {
		return list(r, "backups", z.backups.List(func(b backup) bool { return b.Project == r.ProjectID }), func(b backup) any { return b })
	})
	z.handle("GET", "/backups/{id}", reads, func(r *fabric.Request) error {
		b, ok := z.backups.Get(r.PathValue("id"))
		if !ok || b.Project != r.ProjectID {
			return r.Empty(http.StatusNotFound)
		}
		return r.JSON(http.StatusOK, b)
	})
	z.handle("DELETE", "/backups/{id}", writes, func(r *fabric.Request) error {
		if b, ok := z.backups.Get(r.PathValue("id")); ok && b.Project == r.ProjectID {
			z.backups.Delete(b.ID)
		}
		return r.Empty(http.StatusNoContent)
	})
}
