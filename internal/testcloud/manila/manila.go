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
	m.quotaRoutes()
	m.zoneRoutes()
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

func (m *Manila) zoneRoutes() {
	m.handle("GET", "/availability-zones", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"availability_zones": []any{map[string]any{"id": "8e2a1d0e-0a5c-4c5e-9d5a-6f4e5a0b7c01", "name": zone}}})
	})
}

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

// truth reads a boolean in any of OpenStack's spellings.
func truth(text string) bool {
	switch strings.ToLower(strings.TrimPrefix(text, "<is> ")) {
	case "1", "t", "true", "on", "y", "yes":
		return true
	}
	return false
}
