// Package cinder simulates the Block Storage API v3: volumes, snapshots,
// backups and attachments with their bytes in sparse files, and the small
// resources that clients ask for.
package cinder

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// serviceName is what faults know the service by.
const serviceName = "cinder"

// gibs is how many GiB a volume needs for some bytes.
func (c *Cinder) gibs(bytes int64) int {
	gib := c.fab.VolumeBytes(1)
	return int((bytes + gib - 1) / gib)
}

// Cinder is the block storage service.
type Cinder struct {
	*fabric.Service
	fab    *fabric.Fabric
	images fabric.Images
	keys   fabric.Keys

	volumes     *fabric.Collection[volume]
	snapshots   *fabric.Collection[snapshot]
	backups     *fabric.Collection[backup]
	attachments *fabric.Collection[attachment]
	types       *fabric.Collection[volumeType]
}

// New makes the service. State changes that the last run left unfinished are
// begun again.
func New(f *fabric.Fabric, images fabric.Images, keys fabric.Keys) *Cinder {
	c := &Cinder{
		Service: fabric.NewService(f, serviceName, fabric.ComputeStyle, &fabric.Microversions{
			Type: "volume", Min: fabric.Version{Major: 3, Minor: 0}, Max: fabric.Version{Major: 3, Minor: 70}}),
		fab: f, images: images, keys: keys,
		volumes:     fabric.NewCollection[volume](f.Store, "cinder-volumes"),
		snapshots:   fabric.NewCollection[snapshot](f.Store, "cinder-snapshots"),
		backups:     fabric.NewCollection[backup](f.Store, "cinder-backups"),
		attachments: fabric.NewCollection[attachment](f.Store, "cinder-attachments"),
		types:       fabric.NewCollection[volumeType](f.Store, "cinder-types"),
	}
	c.seedTypes()
	c.versionRoutes()
	c.volumeRoutes()
	c.snapshotRoutes()
	c.backupRoutes()
	c.attachmentRoutes()
	c.metadataRoutes()
	c.typeRoutes()
	c.encryptionRoutes()
	c.limitRoutes()
	c.resume()
	return c
}

func (c *Cinder) versionRoutes() {
	version := func(r *fabric.Request) map[string]any {
		return map[string]any{"id": "v3.0", "status": "CURRENT", "version": "3.70", "min_version": "3.0",
			"updated": "2022-08-31T00:00:00Z",
			"links": []any{
				map[string]string{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
				map[string]string{"rel": "self", "href": r.Base() + "/volume/v3/"}},
			"media-types": []any{map[string]string{
				"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}}}
	}
	c.HandleOpen("GET /volume", func(r *fabric.Request) error {
		return r.JSON(http.StatusMultipleChoices, map[string]any{"versions": []any{version(r)}})
	})
	c.HandleOpen("GET /volume/v3", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"versions": []any{version(r)}})
	})
}

// handle adds a route below /volume/v3/{project}, whose project must be the
// token's own.
func (c *Cinder) handle(method, path string, h fabric.Handler) {
	c.Handle(method+" /volume/v3/{project}"+path, func(r *fabric.Request) error {
		if r.ProjectID == "" || r.PathValue("project") != r.ProjectID {
			return fabric.BadRequest("Malformed request url")
		}
		return h(r)
	})
}

// notAllowed is the answer to what a policy refuses.
func notAllowed(policy string) error {
	return fabric.Forbidden("Policy doesn't allow %s to be performed.", policy)
}

// mayWrite refuses readers.
func mayWrite(r *fabric.Request, policy string) error {
	if !r.Writer() {
		return notAllowed(policy)
	}
	return nil
}

// mayAdmin refuses all but administrators.
func mayAdmin(r *fabric.Request, policy string) error {
	if !r.Admin() {
		return notAllowed(policy)
	}
	return nil
}

// links are a resource's links; path is such as "volumes/<id>".
func links(r *fabric.Request, path string) []any {
	return []any{
		map[string]string{"rel": "self", "href": r.Base() + "/volume/v3/" + r.ProjectID + "/" + path},
		map[string]string{"rel": "bookmark", "href": r.Base() + "/volume/" + r.ProjectID + "/" + path},
	}
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// resume begins the unfinished state changes again.
func (c *Cinder) resume() {
	for _, v := range c.volumes.List(nil) {
		switch v.Status {
		case creating, downloading:
			if !c.isRestored(v.ID) {
				c.fill(v)
			}
		case deleting:
			c.erase(v)
		case extending:
			c.grow(v)
		case reverting:
			c.rewind(v)
		case uploading:
			c.send(v)
		}
	}
	for _, s := range c.snapshots.List(nil) {
		switch s.Status {
		case creating:
			c.freeze(s)
		case deleting:
			c.melt(s)
		}
	}
	for _, b := range c.backups.List(nil) {
		switch b.Status {
		case creating:
			c.save(b)
		case restoring:
			c.bringBack(b)
		case deleting:
			c.discard(b)
		}
	}
}
