package fabric

import (
	"fmt"
	"maps"
	"net/http"
)

// Quotas are the limits of each project. -1 is no limit.
type Quotas struct {
	defaults map[string]int
	limits   *Collection[map[string]int]
}

// defaultQuotas are the real services' own, but rounded up where a demo would
// soon meet them.
var defaultQuotas = map[string]int{
	// Cinder
	"volumes": 100, "gigabytes": 10000, "snapshots": 100, "backups": 100,
	"backup_gigabytes": 10000, "per_volume_gigabytes": -1, "groups": 10,
	// Manila
	"shares": 50, "share_gigabytes": 1000, "share_snapshots": 50, "share_snapshot_gigabytes": 1000, "share_networks": 10,
	"share_groups": 50, "share_group_snapshots": 50, "share_replicas": 100, "share_replica_gigabytes": 1000, "per_share_gigabytes": -1,
	// Trove; volumes in GiB
	"database_instances": 50, "database_volumes": 1000, "database_backups": 50,
	// Nova
	"instances": 100, "cores": 200, "ram": 512000, "key_pairs": 100,
	"metadata_items": 128, "server_groups": 10, "server_group_members": 10,
	// Neutron
	"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50,
	"security_group": 10, "security_group_rule": 100, "rbac_policy": 10, "subnetpool": -1,
}

// NewQuotas opens the limits kept in the store.
func NewQuotas(s *Store) *Quotas {
	return &Quotas{defaults: maps.Clone(defaultQuotas), limits: NewCollection[map[string]int](s, "quotas")}
}

// Limit gives a project's limit of a resource; -1 is none.
func (q *Quotas) Limit(project, resource string) int {
	if n, ok := q.Own(project, resource); ok {
		return n
	}
	return q.Default(resource)
}

// Own gives the limit that was set for a project, if one was.
func (q *Quotas) Own(project, resource string) (int, bool) {
	own, _ := q.limits.Get(project)
	n, ok := own[resource]
	return n, ok
}

// Default gives the limit that a project has when none was set.
func (q *Quotas) Default(resource string) int {
	if n, ok := q.defaults[resource]; ok {
		return n
	}
	return -1
}

// Set sets a project's limit of a resource.
func (q *Quotas) Set(project, resource string, limit int) {
	_, found, _ := q.limits.Update(project, func(own *map[string]int) error {
		(*own)[resource] = limit
		return nil
	})
	if !found {
		q.limits.Put(project, map[string]int{resource: limit})
	}
}

// Unset gives a project the default limit of a resource again.
func (q *Quotas) Unset(project, resource string) {
	_, _, _ = q.limits.Update(project, func(own *map[string]int) error {
		delete(*own, resource)
		return nil
	})
}

// Reset gives a project the defaults again.
func (q *Quotas) Reset(project string) { q.limits.Delete(project) }

// Check gives nil when want more of the resource fit beside used, else what
// was exceeded.
func (q *Quotas) Check(project, resource string, used, want int) *Exceeded {
	limit := q.Limit(project, resource)
	if limit < 0 || want <= 0 || used+want <= limit {
		return nil
	}
	return &Exceeded{Resource: resource, Limit: limit, Used: used, Want: want}
}

// Exceeded says which limit a request would pass.
type Exceeded struct {
	Resource          string
	Limit, Used, Want int
}

// Nova is Nova's answer: 403.
func (e *Exceeded) Nova() *Error {
	return Forbidden("Quota exceeded for %s: Requested %d, but already used %d of %d %s",
		e.Resource, e.Want, e.Used, e.Limit, e.Resource)
}

// Neutron is Neutron's answer: 409 OverQuota.
func (e *Exceeded) Neutron() *Error {
	return Typed(http.StatusConflict, "OverQuota", "Quota exceeded for resources: ['%s'].", e.Resource)
}

// Cinder is Cinder's answer: 413 overLimit.
func (e *Exceeded) Cinder() *Error {
	message := map[string]string{
		"volumes":   fmt.Sprintf("VolumeLimitExceeded: Maximum number of volumes allowed (%d) exceeded for quota 'volumes'.", e.Limit),
		"snapshots": fmt.Sprintf("SnapshotLimitExceeded: Maximum number of snapshots allowed (%d) exceeded", e.Limit),
		"backups":   fmt.Sprintf("BackupLimitExceeded: Maximum number of backups allowed (%d) exceeded", e.Limit),
		"gigabytes": fmt.Sprintf("VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested %dG, quota is %dG and %dG has been consumed.", e.Want, e.Limit, e.Used),
		"backup_gigabytes": fmt.Sprintf("VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested %dG, quota is %dG and %dG has been consumed.",
			e.Want, e.Limit, e.Used),
	}[e.Resource]
	if message == "" {
		message = fmt.Sprintf("Quota exceeded for resources: ['%s']", e.Resource)
	}
	return &Error{Status: http.StatusRequestEntityTooLarge, Message: message, Header: http.Header{"Retry-After": {"0"}}}
}
