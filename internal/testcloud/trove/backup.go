package trove

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The states of backups.
const (
	started      = "NEW"
	progressing  = "BUILDING"
	completed    = "COMPLETED"
	restored     = "RESTORED"
	broken       = "FAILED"
	undeletable  = "DELETE_FAILED"
	longestField = 255
)

// backup is a backup as it is kept.
type backup struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Project     string    `json:"project"`
	InstanceID  string    `json:"instance_id"`
	ParentID    string    `json:"parent_id"`
	Status      string    `json:"status"`
	Leaving     bool      `json:"leaving"` // being deleted: the API does not show it
	Size        float64   `json:"size"`    // GiB
	Store       string    `json:"datastore"`
	Version     string    `json:"version"`
	Content     content   `json:"content"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func (b backup) running() bool { return b.Status == started || b.Status == progressing }

func (t *Trove) backupRoutes() {
	t.handle("POST", "/backups", t.createBackup)
	t.handle("GET", "/backups", func(r *fabric.Request) error {
		if r.Flag("all_projects") && !r.Admin() {
			return fabric.Forbidden("Policy doesn't allow backup:index:all_projects to be performed.")
		}
		of := r.URL.Query().Get("instance_id")
		return t.listBackups(r, func(b backup) bool {
			return (b.Project == r.ProjectID || r.Flag("all_projects")) && (of == "" || b.InstanceID == of)
		})
	})
	t.handle("GET", "/instances/{id}/backups", func(r *fabric.Request) error {
		i, err := t.instance(r)
		if err != nil {
			return err
		}
		return t.listBackups(r, func(b backup) bool { return b.InstanceID == i.ID && r.Sees(b.Project) })
	})
	t.handle("GET", "/backups/{id}", func(r *fabric.Request) error {
		b, err := t.backup(r, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"backup": b.show()})
	})
	t.handle("DELETE", "/backups/{id}", t.deleteBackup)
}

func (t *Trove) backup(r *fabric.Request, id string) (backup, error) {
	b, ok := t.backups.Get(id)
	if !ok || !r.Sees(b.Project) {
		return b, absent(id)
	}
	return b, nil
}

func (b backup) show() map[string]any {
	at := func(t time.Time) string { return strings.TrimSuffix(fabric.Seconds(t), "Z") }
	shown := map[string]any{"id": b.ID, "name": b.Name, "description": nil, "locationRef": nil, "instance_id": b.InstanceID,
		"created": at(b.CreatedAt), "updated": at(b.UpdatedAt), "size": nil, "status": b.Status, "parent_id": nil, "project_id": b.Project}
	if b.Description != "" {
		shown["description"] = b.Description
	}
	if b.ParentID != "" {
		shown["parent_id"] = b.ParentID
	}
	if b.Status == completed {
		shown["size"], shown["locationRef"] = b.Size, "https://objects.invalid/v1/AUTH_trove/database_backups/"+b.ID+".gz.enc"
	}
	for _, d := range datastores {
		if d.kind == b.Store && d.version == b.Version {
			shown["datastore"] = map[string]any{"type": d.kind, "version": d.version, "version_id": d.id}
		}
	}
	return shown
}

// listBackups answers with backups, what changed last first.
func (t *Trove) listBackups(r *fabric.Request, keep func(backup) bool) error {
	from, err := offset(r.URL.Query())
	if err != nil {
		return err
	}
	found := t.backups.List(keep)
	slices.SortStableFunc(found, func(a, b backup) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	items := make([]any, 0, len(found))
	for _, b := range found {
		items = append(items, b.show())
	}
	return page(r, "backups", items, from, strconv.Itoa)
}

func (t *Trove) createBackup(r *fabric.Request) error {
	var body struct {
		Backup struct {
			Name        string  `json:"name"`
			Description *string `json:"description"`
			Instance    string  `json:"instance"`
			ParentID    string  `json:"parent_id"`
			Incremental int     `json:"incremental"`
		} `json:"backup"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "backup:create"); err != nil {
		return err
	}
	ask := body.Backup
	b := backup{ID: fabric.NewID(), Name: ask.Name, Project: r.ProjectID, InstanceID: ask.Instance, ParentID: ask.ParentID,
		Status: progressing, Size: 0.14, CreatedAt: t.fab.Clock.Now(), UpdatedAt: t.fab.Clock.Now()}
	texts := []string{ask.Name}
	if ask.Description != nil {
		b.Description = *ask.Description
		texts = append(texts, *ask.Description)
	}
	for _, text := range texts {
		if len([]rune(text)) > longestField || !strings.ContainsFunc(text, letterOrDigit) {
			return fabric.BadRequest("Validation error: backup['name'] %q does not match '^.*[0-9a-zA-Z]+.*$'", text)
		}
	}
	if ask.Instance == "" {
		return fabric.BadRequest("Failed to create Backup: instance is missing.")
	}
	if err := t.begin(r, &b, ask.Incremental == 1); err != nil {
		return err
	}
	t.save(b)
	b.Status = started
	return r.JSON(http.StatusAccepted, map[string]any{"backup": b.show()})
}

// begin keeps a new backup, if there can be one now.
func (t *Trove) begin(r *fabric.Request, b *backup, incremental bool) error {
	i, ok := t.instances.Get(b.InstanceID)
	if !ok || !r.Sees(i.Project) {
		return absent(b.InstanceID)
	}
	return t.fab.Atomic(func() error {
		if status := t.status(i); status != "ACTIVE" && status != "RESTART_REQUIRED" {
			return unready("Instance %s is not currently available for an action to be performed (instance status was %s).", i.ID, status)
		}
		if i.Cluster != "" {
			return fabric.Errorf(http.StatusNotImplemented, "The operation is not supported for an instance of a cluster.")
		}
		b.Store, b.Version, b.Content = i.Store, i.Version, i.Content
		if b.ParentID != "" {
			if _, err := t.backup(r, b.ParentID); err != nil {
				return err
			}
		} else if incremental {
			b.ParentID = t.lastOf(i.ID)
		}
		return t.within(r.ProjectID, []want{{"database_backups", 1}}, func() { t.backups.Put(b.ID, *b) })
	})
}

// lastOf gives the newest completed backup of an instance.
func (t *Trove) lastOf(id string) string {
	var last backup
	for _, b := range t.backups.List(func(b backup) bool { return b.InstanceID == id && b.Status == completed }) {
		if !b.UpdatedAt.Before(last.UpdatedAt) {
			last = b
		}
	}
	return last.ID
}

// save completes a new backup.
func (t *Trove) save(b backup) {
	t.fab.Transit(serviceName, "backup.create", b.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		_, _, _ = t.backups.Update(b.ID, func(b *backup) error {
			if b.Status = completed; fail {
				b.Status = broken
			}
			b.UpdatedAt = t.fab.Clock.Now()
			return nil
		})
	})
}

// deleteBackup starts to delete a backup and, first, all that stand on it. Meanwhile they
// are shown as they were.
func (t *Trove) deleteBackup(r *fabric.Request) error {
	b, err := t.backup(r, r.PathValue("id"))
	if err == nil {
		err = mayWrite(r, "backup:delete")
	}
	if err != nil {
		return err
	}
	var gone []backup
	err = t.fab.Atomic(func() error {
		gone = t.standing(b)
		for _, o := range gone {
			if o.running() {
				return unready("Backup %s cannot be deleted because it is running.", o.ID)
			}
		}
		for _, o := range gone {
			_, _, _ = t.backups.Update(o.ID, func(b *backup) error { b.Leaving = true; return nil })
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, o := range gone {
		t.burn(o)
	}
	return r.Empty(http.StatusAccepted)
}

// standing gives a backup behind all that stand on it.
func (t *Trove) standing(b backup) []backup {
	var out []backup
	for _, child := range t.backups.List(func(o backup) bool { return o.ParentID == b.ID }) {
		out = append(out, t.standing(child)...)
	}
	return append(out, b)
}

// burn removes a backup that is being deleted.
func (t *Trove) burn(b backup) {
	t.fab.Transit(serviceName, "backup.delete", b.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		if fail {
			_, _, _ = t.backups.Update(b.ID, func(b *backup) error {
				b.Status, b.Leaving = undeletable, false
				return nil
			})
			return
		}
		t.backups.Delete(b.ID)
	})
}
