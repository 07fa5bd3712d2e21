package manila

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// snapshot is a share's snapshot as it is kept.
type snapshot struct {
	ID          string            `json:"id"`
	ShareID     string            `json:"share_id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Project     string            `json:"project"`
	User        string            `json:"user"`
	SizeGiB     int               `json:"size"`
	Proto       string            `json:"proto"`
	Status      string            `json:"status"`
	Metadata    map[string]string `json:"metadata"`
	CreatedAt   time.Time         `json:"created_at"`
}

func (m *Manila) snapshotRoutes() {
	m.handle("POST", "/snapshots", m.createSnapshot)
	m.handle("GET", "/snapshots", func(r *fabric.Request) error { return m.listSnapshots(r, false) })
	m.handle("GET", "/snapshots/detail", func(r *fabric.Request) error { return m.listSnapshots(r, true) })
	m.handle("GET", "/snapshots/{id}", func(r *fabric.Request) error {
		s, err := m.snapshot(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"snapshot": showSnapshot(r, s)})
	})
	m.handle("PUT", "/snapshots/{id}", m.updateSnapshot)
	m.handle("DELETE", "/snapshots/{id}", m.deleteSnapshot)
	m.handle("POST", "/snapshots/{id}/action", func(r *fabric.Request) error {
		s, err := m.snapshot(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return m.reset(r, "share_snapshot", func(status string) error {
			_, err := m.changeSnapshot(s.ID, func(s *snapshot) error { s.Status = status; return nil })
			return err
		})
	})
}

func (m *Manila) snapshot(who fabric.Identity, id string) (snapshot, error) {
	s, ok := m.snapshots.Get(id)
	if !ok || !who.Sees(s.Project) {
		return s, absent()
	}
	return s, nil
}

func (m *Manila) changeSnapshot(id string, do func(*snapshot) error) (snapshot, error) {
	s, ok, err := m.snapshots.Update(id, do)
	if err == nil && !ok {
		err = absent()
	}
	return s, err
}

func showSnapshot(r *fabric.Request, s snapshot) map[string]any {
	body := map[string]any{"id": s.ID, "share_id": s.ShareID, "share_size": s.SizeGiB, "created_at": fabric.Micros(s.CreatedAt),
		"status": s.Status, "name": textOrNull(s.Name), "description": textOrNull(s.Description), "size": s.SizeGiB, "share_proto": s.Proto,
		"links": links(r, "snapshots/"+s.ID)}
	if r.Version.AtLeast(2, 17) {
		body["user_id"], body["project_id"] = s.User, s.Project
	}
	if r.Version.AtLeast(2, 73) {
		metadata := map[string]string{}
		maps.Copy(metadata, s.Metadata)
		body["metadata"] = metadata
	}
	return body
}

type snapshotRequest struct {
	Snapshot struct {
		ShareID            string            `json:"share_id"`
		Name               string            `json:"name"`
		Description        string            `json:"description"`
		DisplayName        *string           `json:"display_name"`
		DisplayDescription *string           `json:"display_description"`
		Metadata           map[string]string `json:"metadata"`
	} `json:"snapshot"`
}

func (q snapshotRequest) names(s *snapshot) {
	if q.Snapshot.DisplayName != nil {
		s.Name = *q.Snapshot.DisplayName
	}
	if q.Snapshot.DisplayDescription != nil {
		s.Description = *q.Snapshot.DisplayDescription
	}
}

func (m *Manila) createSnapshot(r *fabric.Request) error {
	var body snapshotRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "share_snapshot:create_snapshot"); err != nil {
		return err
	}
	from, err := m.share(r.Identity, body.Snapshot.ShareID)
	if err == nil && !r.Sees(from.Project) {
		err = absent()
	}
	if err != nil {
		return err
	}
	kind, _ := m.findType(from.TypeID)
	if !truth(kind.ExtraSpecs[snapshots]) {
		return fabric.Errorf(http.StatusUnprocessableEntity, "Snapshots cannot be created for share '%s' since it does not have that capability.", from.ID)
	}
	if from.Status != available {
		return fabric.BadRequest("Invalid share: Source share status must be available.")
	}
	s := snapshot{ID: fabric.NewID(), ShareID: from.ID, Name: body.Snapshot.Name, Description: body.Snapshot.Description, Project: r.ProjectID,
		User: r.UserID, SizeGiB: from.SizeGiB, Proto: from.Proto, Status: creating, CreatedAt: m.fab.Clock.Now()}
	body.names(&s)
	if r.Version.AtLeast(2, 73) {
		s.Metadata = body.Snapshot.Metadata
	}
	wants := []want{{"share_snapshots", 1}, {"share_snapshot_gigabytes", s.SizeGiB}}
	if err := m.within(r.ProjectID, from.TypeID, wants, func() { m.snapshots.Put(s.ID, s) }); err != nil {
		return err
	}
	m.freeze(s)
	return r.JSON(http.StatusAccepted, map[string]any{"snapshot": showSnapshot(r, s)})
}

// freeze makes a new snapshot available.
func (m *Manila) freeze(s snapshot) {
	m.fab.Transit(serviceName, "snapshot.create", s.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		_, _ = m.changeSnapshot(s.ID, func(s *snapshot) error {
			if s.Status = available; fail {
				s.Status = failed
			}
			return nil
		})
	})
}

func (m *Manila) updateSnapshot(r *fabric.Request) error {
	var body snapshotRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	s, err := m.snapshot(r.Identity, r.PathValue("id"))
	if err == nil {
		err = mayWrite(r, "share_snapshot:snapshot_update")
	}
	if err != nil {
		return err
	}
	if s, err = m.changeSnapshot(s.ID, func(s *snapshot) error { body.names(s); return nil }); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"snapshot": showSnapshot(r, s)})
}

func (m *Manila) deleteSnapshot(r *fabric.Request) error {
	s, err := m.snapshot(r.Identity, r.PathValue("id"))
	if err == nil {
		err = mayWrite(r, "share_snapshot:delete_snapshot")
	}
	if err != nil {
		return err
	}
	s, err = m.changeSnapshot(s.ID, func(s *snapshot) error {
		if s.Status != available && s.Status != failed {
			return fabric.BadRequest("Invalid share snapshot: Share Snapshot status must be one of ('available', 'error').")
		}
		s.Status = deleting
		return nil
	})
	if err != nil {
		return err
	}
	m.melt(s)
	return r.Empty(http.StatusAccepted)
}

// melt removes a snapshot that is deleting.
func (m *Manila) melt(s snapshot) {
	m.fab.Transit(serviceName, "snapshot.delete", s.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		if fail {
			_, _ = m.changeSnapshot(s.ID, func(s *snapshot) error { s.Status = failedDeleting; return nil })
			return
		}
		m.snapshots.Delete(s.ID)
	})
}
