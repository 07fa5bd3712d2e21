// Package manila simulates the Shared File Systems API v2: share types, share
// networks, shares with their access rules, and snapshots. Shares hold no bytes, as
// those of Manila's own dummy driver do not.
package manila

import (
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// serviceName is what faults know the service by.
const serviceName = "manila"

// zone is the only availability zone.
const zone = "nova"

// The states of shares and snapshots.
const (
	available      = "available"
	creating       = "creating"
	creatingFrom   = "creating_from_snapshot"
	deleting       = "deleting"
	failed         = "error"
	failedDeleting = "error_deleting"
)

// Manila is the shared file systems service.
type Manila struct {
	*fabric.Service
	fab *fabric.Fabric

	types     *fabric.Collection[shareType]
	networks  *fabric.Collection[shareNetwork]
	shares    *fabric.Collection[share]
	snapshots *fabric.Collection[snapshot]
	rules     *fabric.Collection[rule]
}

// New makes the service. State changes that the last run left unfinished are begun
// again.
func New(f *fabric.Fabric) *Manila {
	m := &Manila{
		Service: fabric.NewService(f, serviceName, fabric.ComputeStyle, &fabric.Microversions{
			Type: "shared-file-system", Old: "X-OpenStack-Manila-API-Version",
			Min: fabric.Version{Major: 2, Minor: 0}, Max: fabric.Version{Major: 2, Minor: 73}}),
		fab:       f,
		types:     fabric.NewCollection[shareType](f.Store, "manila-types"),
		networks:  fabric.NewCollection[shareNetwork](f.Store, "manila-networks"),
		shares:    fabric.NewCollection[share](f.Store, "manila-shares"),
		snapshots: fabric.NewCollection[snapshot](f.Store, "manila-snapshots"),
		rules:     fabric.NewCollection[rule](f.Store, "manila-rules"),
	}
	m.seedTypes()
	m.versionRoutes()
	m.typeRoutes()
	m.networkRoutes()
	m.shareRoutes()
	m.snapshotRoutes()
	m.accessRoutes()
	m.limitRoutes()
	m.resume()
	return m
}

func (m *Manila) versionRoutes() {
	version := func(r *fabric.Request) map[string]any {
		return map[string]any{"id": "v2.0", "status": "CURRENT", "version": "2.73", "min_version": "2.0",
			"updated": "2015-08-27T11:33:21Z",
			"links": []any{
				map[string]string{"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"},
				map[string]string{"rel": "self", "href": r.Base() + "/share/v2/"}},
			"media-types": []any{map[string]string{
				"base": "application/json", "type": "application/vnd.openstack.share+json;version=1"}}}
	}
	m.HandleOpen("GET /share", func(r *fabric.Request) error {
		return r.JSON(http.StatusMultipleChoices, map[string]any{"versions": []any{version(r)}})
	})
	m.HandleOpen("GET /share/v2", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"versions": []any{version(r)}})
	})
}

// handle adds a route below /share/v2.
func (m *Manila) handle(method, path string, h fabric.Handler) { m.Handle(method+" /share/v2"+path, h) }

// mayWrite refuses readers.
func mayWrite(r *fabric.Request, policy string) error {
	if !r.Writer() {
		return fabric.Forbidden("Policy doesn't allow %s to be performed.", policy)
	}
	return nil
}

// absent is Manila's answer to what is not there.
func absent() error { return fabric.NotFound("The resource could not be found.") }

// links are a resource's links; path is such as "shares/<id>".
func links(r *fabric.Request, path string) []any {
	return []any{
		map[string]string{"rel": "self", "href": r.Base() + "/share/v2/" + path},
		map[string]string{"rel": "bookmark", "href": r.Base() + "/share/" + path},
	}
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// resume begins the unfinished state changes again.
func (m *Manila) resume() {
	for _, s := range m.shares.List(nil) {
		switch s.Status {
		case creating, creatingFrom:
			m.build(s)
		case deleting:
			m.raze(s)
		}
	}
	for _, s := range m.snapshots.List(nil) {
		switch s.Status {
		case creating:
			m.freeze(s)
		case deleting:
			m.melt(s)
		}
	}
}

// over is Manila's answer to what passes a quota.
func over(e *fabric.Exceeded) error {
	message := map[string]string{
		"shares":                   "ShareLimitExceeded: Maximum number of shares allowed exceeded.",
		"share_gigabytes":          "ShareSizeExceedsAvailableQuota: Requested share exceeds allowed project/user or share type gigabytes quota.",
		"share_snapshots":          "SnapshotLimitExceeded: Maximum number of snapshots allowed exceeded.",
		"share_snapshot_gigabytes": "SnapshotSizeExceedsAvailableQuota: Requested snapshot exceeds allowed project/user or share type gigabytes quota.",
		"share_networks":           "ShareNetworksLimitExceeded: Maximum number of share-networks allowed exceeded.",
	}[e.Resource]
	return &fabric.Error{Status: http.StatusRequestEntityTooLarge, Message: message, Header: http.Header{"Retry-After": {"0"}}}
}

// want is how much more of a resource is asked for.
type want struct {
	resource string
	n        int
}

// within keeps what put inserts if the project's quotas allow it.
func (m *Manila) within(project string, wants []want, put func()) error {
	return m.fab.Atomic(func() error {
		used := m.usage(project)
		for _, w := range wants {
			if e := m.fab.Quotas.Check(project, w.resource, used[w.resource], w.n); e != nil {
				return over(e)
			}
		}
		put()
		return nil
	})
}

// usage counts what a project uses of each resource.
func (m *Manila) usage(project string) map[string]int {
	used := map[string]int{}
	for _, s := range m.shares.List(func(s share) bool { return s.Project == project }) {
		used["shares"]++
		used["share_gigabytes"] += s.SizeGiB
	}
	for _, s := range m.snapshots.List(func(s snapshot) bool { return s.Project == project }) {
		used["share_snapshots"]++
		used["share_snapshot_gigabytes"] += s.SizeGiB
	}
	used["share_networks"] = len(m.networks.List(func(n shareNetwork) bool { return n.Project == project }))
	return used
}

// quotaNames are the limits' names in the API, and where they are kept.
var quotaNames = map[string]string{
	"shares": "shares", "gigabytes": "share_gigabytes", "snapshots": "share_snapshots",
	"snapshot_gigabytes": "share_snapshot_gigabytes", "share_networks": "share_networks",
}

func (m *Manila) limitRoutes() {
	m.handle("GET", "/limits", func(r *fabric.Request) error {
		used, limit := m.usage(r.ProjectID), func(name string) int { return m.fab.Quotas.Limit(r.ProjectID, name) }
		return r.JSON(http.StatusOK, map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": map[string]any{
			"maxTotalShares": limit("shares"), "totalSharesUsed": used["shares"],
			"maxTotalShareGigabytes": limit("share_gigabytes"), "totalShareGigabytesUsed": used["share_gigabytes"],
			"maxTotalShareSnapshots": limit("share_snapshots"), "totalShareSnapshotsUsed": used["share_snapshots"],
			"maxTotalSnapshotGigabytes": limit("share_snapshot_gigabytes"), "totalSnapshotGigabytesUsed": used["share_snapshot_gigabytes"],
			"maxTotalShareNetworks": limit("share_networks"), "totalShareNetworksUsed": used["share_networks"]}}})
	})
	m.handle("GET", "/quota-sets/{target}", func(r *fabric.Request) error {
		if !r.Sees(r.PathValue("target")) {
			return fabric.Forbidden("Policy doesn't allow quota_set:show to be performed.")
		}
		set := map[string]any{"id": r.PathValue("target")}
		for shown, kept := range quotaNames {
			set[shown] = m.fab.Quotas.Limit(r.PathValue("target"), kept)
		}
		return r.JSON(http.StatusOK, map[string]any{"quota_set": set})
	})
	m.handle("GET", "/availability-zones", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"availability_zones": []any{map[string]any{"id": "8e2a1d0e-0a5c-4c5e-9d5a-6f4e5a0b7c01", "name": zone}}})
	})
}

// truth reads a boolean in any of OpenStack's spellings.
func truth(text string) bool {
	switch strings.ToLower(strings.TrimPrefix(text, "<is> ")) {
	case "1", "t", "true", "on", "y", "yes":
		return true
	}
	return false
}
