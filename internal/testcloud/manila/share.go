package manila

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// share is a share as it is kept.
type share struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Project     string            `json:"project"`
	User        string            `json:"user"`
	SizeGiB     int               `json:"size"`
	Proto       string            `json:"proto"`
	Status      string            `json:"status"`
	TypeID      string            `json:"type_id"`
	NetworkID   string            `json:"network_id"`
	SnapshotID  string            `json:"snapshot_id"`
	Public      bool              `json:"public"`
	Metadata    map[string]string `json:"metadata"`
	CreatedAt   time.Time         `json:"created_at"`
}

func (m *Manila) shareRoutes() {
	m.handle("POST", "/shares", m.createShare)
	m.handle("GET", "/shares", func(r *fabric.Request) error { return m.listShares(r, false) })
	m.handle("GET", "/shares/detail", func(r *fabric.Request) error { return m.listShares(r, true) })
	m.handle("GET", "/shares/{id}", func(r *fabric.Request) error {
		s, err := m.share(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"share": m.showShare(r, s)})
	})
	m.handle("PUT", "/shares/{id}", m.updateShare)
	m.handle("DELETE", "/shares/{id}", m.deleteShare)
	m.handle("POST", "/shares/{id}/action", m.actOnShare)
	m.handle("GET", "/shares/{id}/export_locations", func(r *fabric.Request) error {
		s, err := m.share(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		list := []any{}
		if s.Status == available {
			list = append(list, map[string]any{"id": s.ID, "path": "198.51.100.7:/shares/" + s.ID, "preferred": false})
		}
		return r.JSON(http.StatusOK, map[string]any{"export_locations": list})
	})
	m.handle("GET", "/shares/{id}/metadata", func(r *fabric.Request) error { return m.metadata(r, nil) })
	m.handle("POST", "/shares/{id}/metadata", func(r *fabric.Request) error {
		return m.metadata(r, func(have, given map[string]string) { maps.Copy(have, given) })
	})
	m.handle("PUT", "/shares/{id}/metadata", func(r *fabric.Request) error {
		return m.metadata(r, func(have, given map[string]string) { clear(have); maps.Copy(have, given) })
	})
	m.handle("DELETE", "/shares/{id}/metadata/{key}", func(r *fabric.Request) error {
		s, err := m.own(r, "share:delete_share_metadata")
		if err != nil {
			return err
		}
		_, err = m.change(s.ID, func(s *share) error {
			if _, there := s.Metadata[r.PathValue("key")]; !there {
				return fabric.NotFound("Metadata item was not found")
			}
			delete(s.Metadata, r.PathValue("key"))
			return nil
		})
		if err != nil {
			return err
		}
		return r.Empty(http.StatusOK)
	})
}

// share gives a share that the identity may see.
func (m *Manila) share(who fabric.Identity, id string) (share, error) {
	s, ok := m.shares.Get(id)
	if !ok || !who.Sees(s.Project) && !s.Public {
		return s, absent()
	}
	return s, nil
}

// own gives a share that the request may change.
func (m *Manila) own(r *fabric.Request, policy string) (share, error) {
	s, err := m.share(r.Identity, r.PathValue("id"))
	if err == nil && !r.Sees(s.Project) {
		err = absent()
	}
	if err == nil {
		err = mayWrite(r, policy)
	}
	return s, err
}

func (m *Manila) change(id string, do func(*share) error) (share, error) {
	s, ok, err := m.shares.Update(id, do)
	if err == nil && !ok {
		err = absent()
	}
	return s, err
}

func (m *Manila) showShare(r *fabric.Request, s share) map[string]any {
	kind, _ := m.findType(s.TypeID)
	metadata := map[string]string{}
	maps.Copy(metadata, s.Metadata)
	body := map[string]any{
		"id": s.ID, "size": s.SizeGiB, "availability_zone": zone, "created_at": fabric.Micros(s.CreatedAt), "status": s.Status,
		"name": textOrNull(s.Name), "description": textOrNull(s.Description), "project_id": s.Project, "snapshot_id": textOrNull(s.SnapshotID),
		"share_network_id": textOrNull(s.NetworkID), "share_proto": s.Proto, "metadata": metadata, "share_type": kind.ID,
		"share_type_name": kind.Name, "volume_type": kind.Name, "links": links(r, "shares/"+s.ID), "is_public": s.Public,
		"snapshot_support": truth(kind.ExtraSpecs[snapshots]), "task_state": nil, "access_rules_status": "active",
		"replication_type": nil, "has_replicas": false, "user_id": s.User,
		"create_share_from_snapshot_support": truth(kind.ExtraSpecs[fromSnapshot]), "revert_to_snapshot_support": false,
		"share_group_id": nil, "source_share_group_snapshot_member_id": nil, "mount_snapshot_support": false,
	}
	if r.Version.AtLeast(2, 54) {
		body["progress"] = "100%"
	} else if s.Status == creatingFrom {
		body["status"] = creating
	}
	if r.Version.AtLeast(2, 69) {
		body["is_soft_deleted"], body["scheduled_to_be_deleted_at"] = false, nil
	}
	if r.Admin() {
		body["host"], body["share_server_id"] = "testcloud@dummy#pool", nil
	}
	return body
}

type shareRequest struct {
	Share struct {
		Name               string            `json:"name"`
		DisplayName        *string           `json:"display_name"`
		Description        string            `json:"description"`
		DisplayDescription *string           `json:"display_description"`
		Size               json.Number       `json:"size"`
		Proto              string            `json:"share_proto"`
		Type               string            `json:"share_type"`
		NetworkID          string            `json:"share_network_id"`
		SnapshotID         string            `json:"snapshot_id"`
		Zone               string            `json:"availability_zone"`
		Public             *bool             `json:"is_public"`
		Metadata           map[string]string `json:"metadata"`
	} `json:"share"`
}

// names gives name and description: a create takes either spelling.
func (q shareRequest) names(s *share) {
	if q.Share.DisplayName != nil {
		s.Name = *q.Share.DisplayName
	}
	if q.Share.DisplayDescription != nil {
		s.Description = *q.Share.DisplayDescription
	}
	if q.Share.Public != nil {
		s.Public = *q.Share.Public
	}
}

func (m *Manila) createShare(r *fabric.Request) error {
	var body shareRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "share:create"); err != nil {
		return err
	}
	ask := body.Share
	size, _ := ask.Size.Int64() // checked when it is known what the share is made of
	s := share{ID: fabric.NewID(), Name: ask.Name, Description: ask.Description, Project: r.ProjectID, User: r.UserID, SizeGiB: int(size),
		Proto: strings.ToUpper(ask.Proto), Status: creating, NetworkID: ask.NetworkID, SnapshotID: ask.SnapshotID,
		Metadata: ask.Metadata, CreatedAt: m.fab.Clock.Now()}
	body.names(&s)
	if s.Public && !r.Admin() {
		return fabric.Forbidden("Policy doesn't allow share:create_public_share to be performed.")
	}
	if ask.Zone != "" && ask.Zone != zone {
		return fabric.NotFound("Availability zone %s could not be found.", ask.Zone)
	}
	if err := m.derive(r.Identity, &s, ask.Type); err != nil {
		return err
	}
	if s.SizeGiB <= 0 {
		return fabric.BadRequest("Invalid input received: Share size '%d' must be an integer and greater than 0.", s.SizeGiB)
	}
	if !slices.Contains([]string{"NFS", "CIFS"}, s.Proto) {
		return fabric.BadRequest("Invalid input received: Invalid share protocol provided: %s. It is either disabled or unsupported.", s.Proto)
	}
	if most := m.fab.Quotas.Limit(r.ProjectID, "per_share_gigabytes"); most >= 0 && s.SizeGiB > most {
		return over(&fabric.Exceeded{Resource: "per_share_gigabytes", Limit: most, Want: s.SizeGiB})
	}
	err := m.within(r.ProjectID, s.TypeID, []want{{"shares", 1}, {"share_gigabytes", s.SizeGiB}}, func() { m.shares.Put(s.ID, s) })
	if err != nil {
		return err
	}
	m.build(s)
	return r.JSON(http.StatusOK, map[string]any{"share": m.showShare(r, s)})
}

// derive checks a new share's type, network and snapshot, and takes over what comes
// from the snapshot.
func (m *Manila) derive(who fabric.Identity, s *share, typeRef string) error {
	kind, ok := m.findType(typeRef)
	if !ok {
		return fabric.NotFound("Share type not found.")
	}
	s.TypeID = kind.ID
	if s.SnapshotID != "" {
		from, err := m.snapshot(who, s.SnapshotID)
		if err != nil {
			return err
		}
		parent, err := m.share(who, from.ShareID)
		if err != nil {
			return err
		}
		parentKind, _ := m.findType(parent.TypeID)
		switch {
		case s.NetworkID != "" && s.NetworkID != parent.NetworkID:
			return fabric.BadRequest("Share network ID should be the same as snapshot's parent share's or empty")
		case !truth(parentKind.ExtraSpecs[fromSnapshot]):
			return fabric.BadRequest("A new share may not be created from snapshot '%s', because the snapshot's parent share does not have that capability.", s.SnapshotID)
		case from.Status != available:
			return fabric.BadRequest("Invalid share snapshot: status must be 'available'.")
		case typeRef != "" && kind.ID != parent.TypeID:
			return fabric.BadRequest("Invalid input received: Invalid share type specified: the requested share type must match the type of the source share.")
		}
		if s.SizeGiB == 0 {
			s.SizeGiB = from.SizeGiB
		}
		if s.SizeGiB < from.SizeGiB {
			return fabric.BadRequest("Invalid input received: Share size '%d' must be equal or greater than snapshot size.", s.SizeGiB)
		}
		s.TypeID, s.NetworkID, s.Status = parent.TypeID, parent.NetworkID, creatingFrom
		return nil
	}
	if s.NetworkID != "" {
		if _, err := m.network(who, s.NetworkID); err != nil {
			return err
		}
	} else if truth(kind.ExtraSpecs[handlesServers]) {
		return fabric.BadRequest("Share network must be set when the driver_handles_share_servers is true.")
	}
	return nil
}

// build makes a new share available.
func (m *Manila) build(s share) {
	m.fab.Transit(serviceName, "share.create", s.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		_, _ = m.change(s.ID, func(s *share) error {
			if s.Status = available; fail {
				s.Status = failed
			}
			return nil
		})
	})
}

func (m *Manila) updateShare(r *fabric.Request) error {
	var body shareRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	s, err := m.own(r, "share:update")
	if err != nil {
		return err
	}
	// The real service heeds only the long spellings here.
	s, err = m.change(s.ID, func(s *share) error { body.names(s); return nil })
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"share": m.showShare(r, s)})
}

func (m *Manila) metadata(r *fabric.Request, write func(have, given map[string]string)) error {
	s, err := m.share(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	if write != nil {
		var body struct{ Metadata map[string]string }
		if err := r.Decode(&body); err != nil {
			return err
		}
		if s, err = m.own(r, "share:update_share_metadata"); err != nil {
			return err
		}
		s, err = m.change(s.ID, func(s *share) error {
			if s.Metadata == nil {
				s.Metadata = map[string]string{}
			}
			write(s.Metadata, body.Metadata)
			return nil
		})
		if err != nil {
			return err
		}
	}
	shown := map[string]string{}
	maps.Copy(shown, s.Metadata)
	return r.JSON(http.StatusOK, map[string]any{"metadata": shown})
}

func (m *Manila) deleteShare(r *fabric.Request) error {
	s, err := m.own(r, "share:delete")
	if err != nil {
		return err
	}
	err = m.fab.Atomic(func() error {
		made := len(m.snapshots.List(func(o snapshot) bool { return o.ShareID == s.ID }))
		_, err := m.change(s.ID, func(s *share) error {
			switch {
			case s.Status != available && s.Status != failed:
				return fabric.Forbidden("Invalid share: Share status must be one of ('available', 'error', 'inactive').")
			case made > 0:
				return fabric.Forbidden("Invalid share: Share still has %d dependent snapshots.", made)
			}
			s.Status = deleting
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	m.raze(s)
	return r.Empty(http.StatusAccepted)
}

// raze removes a share that is deleting.
func (m *Manila) raze(s share) {
	m.fab.Transit(serviceName, "share.delete", s.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		if fail {
			_, _ = m.change(s.ID, func(s *share) error { s.Status = failedDeleting; return nil })
			return
		}
		m.rules.Drop(func(a rule) bool { return a.ShareID == s.ID })
		m.shares.Delete(s.ID)
	})
}
