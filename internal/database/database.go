// Package database reads Trove's instances and backups for the plug-ins that protect
// them. gophercloud knows no backups of Trove's, nor where an instance's lists go on.
// Source: the Database API v1.0.
package database

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// Instance is a database instance, as far as Karbor needs it.
type Instance struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	// ProjectID is told to administrators only, who see what is not theirs.
	ProjectID string `json:"tenant_id"`
	Flavor    struct {
		ID string `json:"id"`
	} `json:"flavor"`
	Volume struct {
		Size int `json:"size"` // GiB; 0 where instances have no volumes
	} `json:"volume"`
	Datastore struct {
		Type    string `json:"type"`
		Version string `json:"version"`
	} `json:"datastore"`
	Addresses []Address `json:"addresses"`
	Access    Access    `json:"access"`
	ReplicaOf *struct {
		ID string `json:"id"`
	} `json:"replica_of"`
	Replicas []struct {
		ID string `json:"id"`
	} `json:"replicas"`
	Configuration *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"configuration"`
	ClusterID string `json:"cluster_id"`
	Fault     struct {
		Message string `json:"message"`
	} `json:"fault"`
	// Created is when it was asked for, as Trove writes it; see CreatedAt.
	Created string `json:"created"`
	// Deleted says that it is gone: an administrator's list may have such.
	Deleted bool `json:"deleted"`
}

// CreatedAt is when the instance was asked for; zero if Trove does not say. Trove writes no zone: it
// is UTC.
func (i *Instance) CreatedAt() time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(layout, i.Created); err == nil {
			return at
		}
	}
	return time.Time{}
}

// Address is one address of an instance.
type Address struct {
	Type    string `json:"type"` // "private" or "public"
	Network string `json:"network"`
}

// Access says who reaches an instance.
type Access struct {
	Public bool     `json:"is_public"`
	CIDRs  []string `json:"allowed_cidrs,omitempty"`
}

// Backup is a backup of an instance.
type Backup struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	InstanceID  string `json:"instance_id"`
	ParentID    string `json:"parent_id"`
	Status      string `json:"status"`
	// ProjectID is not told by releases before 2020.
	ProjectID string  `json:"project_id"`
	Size      float64 `json:"size"` // GiB; 0 as long as it is not known
	Updated   string  `json:"updated"`
	Datastore struct {
		Type    string `json:"type"`
		Version string `json:"version"`
	} `json:"datastore"`
}

// Completed is the status of a backup that can be restored.
const Completed = "COMPLETED"

// Running reports whether a backup is still being made.
func (b *Backup) Running() bool {
	return slices.Contains([]string{"NEW", "BUILDING", "SAVING"}, b.Status)
}

// Unfit reports whether an instance in a status can't be protected: it is in error, or
// being deleted. Trove says SHUTDOWN of both what is being deleted and what does not run.
func Unfit(status string) bool {
	return slices.Contains([]string{"ERROR", "FAILED", "SHUTDOWN", "BLOCKED"}, status)
}

// Ready reports whether something may be done to an instance in a status.
func Ready(status string) bool {
	return slices.Contains([]string{"ACTIVE", "HEALTHY", "RESTART_REQUIRED"}, status)
}

// Get gives an instance of the session's own project; karbor.NotFound if it has none of
// that id.
func Get(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, id string) (*Instance, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such database instance")
	}
	var answer struct {
		Instance Instance `json:"instance"`
	}
	err := get(ctx, client, client.ServiceURL("instances", id), &answer)
	own := answer.Instance.ProjectID == "" || answer.Instance.ProjectID == cloud.ProjectID()
	if openstack.IsNotFound(err) || err == nil && !own {
		return nil, karbor.Errorf(karbor.NotFound, "there is no database instance %s", id)
	}
	if err != nil {
		return nil, openstack.Explain(err, "reading database instance %s", id)
	}
	return &answer.Instance, nil
}

// GetAny gives an instance of any project, for an administrator; karbor.NotFound if there is none of
// that id.
func GetAny(ctx context.Context, client *gophercloud.ServiceClient, id string) (*Instance, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such database instance")
	}
	var answer struct {
		Instance Instance `json:"instance"`
	}
	err := get(ctx, client, client.ServiceURL("instances", id), &answer)
	return &answer.Instance, openstack.Explain(err, "reading database instance %s", id)
}

// ListAll gives those instances of all projects that keep accepts, each once, for an administrator. Those of
// clusters are not among them. Only what is kept is held in memory.
func ListAll(ctx context.Context, client *gophercloud.ServiceClient, keep func(*Instance) bool) ([]Instance, error) {
	query, kept := url.Values{"deleted": {"false"}}, map[string]bool{}
	all, err := collect(ctx, client, client.ServiceURL("mgmt", "instances"), query, func(p *pageOf) []Instance {
		return slices.DeleteFunc(p.Instances, func(i Instance) bool {
			if i.Deleted || kept[i.ID] || !keep(&i) {
				return true
			}
			kept[i.ID] = true
			return false
		})
	})
	if err != nil {
		return nil, openstack.Explain(err, "listing the database instances of all projects")
	}
	return all, nil
}

// List gives the instances of the session's project, in the order of their ids. Those of
// clusters are not among them.
func List(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud) ([]Instance, error) {
	all, err := collect(ctx, client, client.ServiceURL("instances"), nil, func(p *pageOf) []Instance { return p.Instances })
	if err != nil {
		return nil, openstack.Explain(err, "listing database instances")
	}
	out, seen := []Instance{}, map[string]bool{}
	for _, i := range all {
		if (i.ProjectID == "" || i.ProjectID == cloud.ProjectID()) && !seen[i.ID] {
			seen[i.ID] = true
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b Instance) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// Backups gives the backups of an instance that the session's project has. The instance
// may be gone.
func Backups(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, instance string) ([]Backup, error) {
	query := url.Values{"instance_id": {instance}}
	all, err := collect(ctx, client, client.ServiceURL("backups"), query, func(p *pageOf) []Backup { return p.Backups })
	if err != nil {
		return nil, openstack.Explain(err, "listing the backups of database instance %s", instance)
	}
	out, seen := []Backup{}, map[string]bool{}
	for _, b := range all {
		// Releases before 2020 do not heed the filter.
		if b.InstanceID == instance && (b.ProjectID == "" || b.ProjectID == cloud.ProjectID()) && !seen[b.ID] {
			seen[b.ID] = true
			out = append(out, b)
		}
	}
	return out, nil
}

// GetBackup gives a backup of the session's own project; karbor.NotFound if it has none
// of that id.
func GetBackup(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, id string) (*Backup, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such database backup")
	}
	var answer struct {
		Backup Backup `json:"backup"`
	}
	err := get(ctx, client, client.ServiceURL("backups", id), &answer)
	own := answer.Backup.ProjectID == "" || answer.Backup.ProjectID == cloud.ProjectID()
	if openstack.IsNotFound(err) || err == nil && !own {
		return nil, karbor.Errorf(karbor.NotFound, "there is no database backup %s", id)
	}
	if err != nil {
		return nil, openstack.Explain(err, "reading database backup %s", id)
	}
	return &answer.Backup, nil
}

func get(ctx context.Context, client *gophercloud.ServiceClient, url string, into any) error {
	_, err := client.Get(ctx, url, into, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}}) //nolint:bodyclose // gophercloud has read it into the struct
	return err
}

// pageOf is one page of a list.
type pageOf struct {
	Instances []Instance `json:"instances"`
	Backups   []Backup   `json:"backups"`
	Links     []struct {
		Rel  string `json:"rel"`
		Href string `json:"href"`
	} `json:"links"`
}

// next gives the marker of the page after this one, or "". The link itself is not
// followed: behind a proxy it often leads nowhere.
func (p *pageOf) next() string {
	for _, l := range p.Links {
		if u, err := url.Parse(l.Href); l.Rel == "next" && err == nil {
			return u.Query().Get("marker")
		}
	}
	return ""
}

const (
	// pageSize is how many things are asked for at once; Trove gives fewer if its
	// operator has said so.
	pageSize = 100
	// maxPages bounds a walk through a list.
	maxPages = 5000
)

func collect[T any](ctx context.Context, client *gophercloud.ServiceClient, path string, query url.Values, of func(*pageOf) []T) ([]T, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", strconv.Itoa(pageSize))
	var out []T
	for range maxPages {
		var page pageOf
		if err := get(ctx, client, path+"?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		out = append(out, of(&page)...)
		marker := page.next()
		if marker == "" || marker == query.Get("marker") {
			return out, nil
		}
		query.Set("marker", marker)
	}
	return nil, karbor.Errorf(karbor.OverLimit, "the list is too long")
}
