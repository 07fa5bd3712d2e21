package cinder

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// quotaNames are the resources with a limit.
var quotaNames = []string{"volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "per_volume_gigabytes", "groups"}

// typedQuotas are those that each volume type has of its own, too, without a limit unless one is set.
var typedQuotas = []string{"volumes", "snapshots", "gigabytes"}

// ofType is the name of a quota of a volume type.
func ofType(resource, kind string) string { return resource + "_" + kind }

// names gives the names of all quotas that there are.
func (c *Cinder) names() []string {
	names := slices.Clone(quotaNames)
	for _, kind := range c.types.List(nil) {
		for _, resource := range typedQuotas {
			names = append(names, ofType(resource, kind.Name))
		}
	}
	return names
}

// fits reports whether the quotas of a project, and those of a volume type, have room for one thing more of a
// size. The caller holds the lock of what changes.
func (c *Cinder) fits(project, kind, resource string, gigabytes int) error {
	used := c.usage(project)
	for _, want := range []struct {
		resource string
		n        int
	}{{resource, 1}, {"gigabytes", gigabytes}} {
		for _, name := range []string{want.resource, ofType(want.resource, kind)} {
			if e := c.fab.Quotas.Check(project, name, used[name], want.n); e != nil {
				return e.Cinder()
			}
		}
	}
	return nil
}

// usage counts what a project uses of each resource.
func (c *Cinder) usage(project string) map[string]int {
	used := map[string]int{}
	count := func(kind, resource string, n int) {
		used[resource] += n
		used[ofType(resource, kind)] += n
	}
	for _, v := range c.volumes.List(func(v volume) bool { return v.Project == project }) {
		count(v.Type, "volumes", 1)
		count(v.Type, "gigabytes", max(v.SizeGiB, v.GrowTo))
	}
	for _, s := range c.snapshots.List(func(s snapshot) bool { return s.Project == project }) {
		count(s.Type, "snapshots", 1)
		count(s.Type, "gigabytes", s.SizeGiB)
	}
	for _, b := range c.backups.List(func(b backup) bool { return b.Project == project }) {
		used["backups"]++
		used["backup_gigabytes"] += b.SizeGiB
	}
	return used
}

func (c *Cinder) limitRoutes() {
	c.handle("GET", "/limits", func(r *fabric.Request) error {
		used, limit := c.usage(r.ProjectID), func(name string) int { return c.fab.Quotas.Limit(r.ProjectID, name) }
		return r.JSON(http.StatusOK, map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": map[string]any{
			"maxTotalVolumes": limit("volumes"), "totalVolumesUsed": used["volumes"],
			"maxTotalSnapshots": limit("snapshots"), "totalSnapshotsUsed": used["snapshots"],
			"maxTotalVolumeGigabytes": limit("gigabytes"), "totalGigabytesUsed": used["gigabytes"],
			"maxTotalBackups": limit("backups"), "totalBackupsUsed": used["backups"],
			"maxTotalBackupGigabytes": limit("backup_gigabytes"), "totalBackupGigabytesUsed": used["backup_gigabytes"]}}})
	})
	c.handle("GET", "/os-availability-zone", func(r *fabric.Request) error {
		list := []any{}
		for _, zone := range []string{fabric.FirstZone, fabric.SecondZone} {
			list = append(list, map[string]any{"zoneName": zone, "zoneState": map[string]bool{"available": true}})
		}
		return r.JSON(http.StatusOK, map[string]any{"availabilityZoneInfo": list})
	})
	c.handle("GET", "/os-services", func(r *fabric.Request) error {
		if err := mayAdmin(r, "volume_extension:services:index"); err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"services": []any{}})
	})
	c.handle("GET", "/extensions", func(r *fabric.Request) error {
		list := []any{}
		for _, alias := range []string{"os-volume-actions", "os-snapshot-actions", "os-admin-actions", "os-quota-sets", "os-availability-zone", "os-volume-image-metadata", "backups"} {
			list = append(list, map[string]any{"alias": alias, "name": strings.TrimPrefix(alias, "os-"), "description": "",
				"updated": "2011-08-08T00:00:00+00:00", "links": []any{}})
		}
		return r.JSON(http.StatusOK, map[string]any{"extensions": list})
	})
	c.handle("GET", "/messages", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"messages": []any{}})
	})
	c.quotaRoutes()
}

func (c *Cinder) quotaRoutes() {
	c.handle("GET", "/os-quota-sets/{target}", func(r *fabric.Request) error {
		target := r.PathValue("target")
		if !r.Sees(target) {
			return notAllowed("volume_extension:quotas:show")
		}
		return r.JSON(http.StatusOK, map[string]any{"quota_set": c.quotaSet(target, r.Flag("usage"))})
	})
	c.handle("GET", "/os-quota-sets/{target}/defaults", func(r *fabric.Request) error {
		set := map[string]any{"id": r.PathValue("target")}
		for _, name := range c.names() {
			set[name] = c.fab.Quotas.Default(name)
		}
		return r.JSON(http.StatusOK, map[string]any{"quota_set": set})
	})
	c.handle("PUT", "/os-quota-sets/{target}", func(r *fabric.Request) error {
		var body struct {
			Set map[string]json.RawMessage `json:"quota_set"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if err := mayAdmin(r, "volume_extension:quotas:update"); err != nil {
			return err
		}
		for _, name := range c.names() {
			value, ok := body.Set[name]
			if !ok {
				continue
			}
			var n int
			if err := json.Unmarshal([]byte(strings.Trim(string(value), `"`)), &n); err != nil || n < -1 {
				return fabric.BadRequest("Invalid input received: %s is no limit for %s", value, name)
			}
			c.fab.Quotas.Set(r.PathValue("target"), name, n)
		}
		set := c.quotaSet(r.PathValue("target"), false)
		delete(set, "id")
		return r.JSON(http.StatusOK, map[string]any{"quota_set": set})
	})
	c.handle("DELETE", "/os-quota-sets/{target}", func(r *fabric.Request) error {
		if err := mayAdmin(r, "volume_extension:quotas:delete"); err != nil {
			return err
		}
		for _, name := range c.names() {
			c.fab.Quotas.Set(r.PathValue("target"), name, c.fab.Quotas.Default(name))
		}
		return r.Empty(http.StatusOK)
	})
}

func (c *Cinder) quotaSet(project string, usage bool) map[string]any {
	set := map[string]any{"id": project}
	used := c.usage(project)
	for _, name := range c.names() {
		limit := c.fab.Quotas.Limit(project, name)
		set[name] = limit
		if usage {
			set[name] = map[string]int{"limit": limit, "in_use": used[name], "reserved": 0}
		}
	}
	return set
}
