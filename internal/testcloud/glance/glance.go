// Package glance simulates the Image API v2: images, their bytes on disk,
// tags, members, and the schemas that clients ask for.
package glance

import (
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The states of an image.
const (
	queued      = "queued"
	saving      = "saving"
	active      = "active"
	killed      = "killed"
	deactivated = "deactivated"
)

// The visibilities of an image.
const (
	private   = "private"
	public    = "public"
	shared    = "shared"
	community = "community"
)

// The properties of the image of an encrypted volume: the secret of its key, and whether
// that goes along with the image.
const (
	keyProperty = "cinder_encryption_key_id"
	keyPolicy   = "cinder_encryption_key_deletion_policy"
)

// image is an image as it is kept. Empty text and nil stand for null.
type image struct {
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	DiskFormat      string            `json:"disk_format"`
	ContainerFormat string            `json:"container_format"`
	Visibility      string            `json:"visibility"`
	Status          string            `json:"status"`
	Owner           string            `json:"owner"`
	Size            *int64            `json:"size"`
	Checksum        string            `json:"checksum"`   // MD5
	HashValue       string            `json:"hash_value"` // SHA-512
	Protected       bool              `json:"protected"`
	Hidden          bool              `json:"hidden"`
	MinDisk         int               `json:"min_disk"`
	MinRAM          int               `json:"min_ram"`
	Tags            []string          `json:"tags"`
	Properties      map[string]string `json:"properties"`
	Members         map[string]string `json:"members"` // project id → pending, accepted, rejected
	CreatedAt       time.Time         `json:"created_at"`
	UpdatedAt       time.Time         `json:"updated_at"`
}

func (i image) blob() fabric.Blob { return fabric.Blob{Kind: fabric.ImageBlob, ID: i.ID} }

// visible tells whether the identity may see the image when it asks by id.
func (i image) visible(who fabric.Identity) bool {
	_, member := i.Members[who.ProjectID]
	return who.Sees(i.Owner) || i.Visibility == public || i.Visibility == community ||
		i.Visibility == shared && member
}

// Glance is the image service.
type Glance struct {
	*fabric.Service
	fab    *fabric.Fabric
	keys   fabric.Keys
	images *fabric.Collection[image]
	sums   *fabric.Collection[known] // by fingerprint
}

// New makes the service. An upload that the last run left unfinished is
// undone: its image is queued again.
func New(f *fabric.Fabric, keys fabric.Keys) *Glance {
	g := &Glance{
		Service: fabric.NewService(f, "glance", fabric.GlanceStyle, nil), fab: f, keys: keys,
		images: fabric.NewCollection[image](f.Store, "glance-images"),
		sums:   fabric.NewCollection[known](f.Store, "glance-sums"),
	}
	for _, i := range g.images.List(func(i image) bool { return i.Status == saving }) {
		g.change(i.ID, func(i *image) { i.Status = queued })
	}
	g.routes()
	return g
}

func (g *Glance) routes() {
	g.HandleOpen("GET /image", g.versions)
	g.HandleOpen("GET /image/versions", g.versions)
	g.HandleOpen("GET /image/v2", g.versions)
	g.Handle("GET /image/v2/schemas/{name}", g.schema)
	g.Handle("POST /image/v2/images", g.create)
	g.Handle("GET /image/v2/images", g.list)
	g.Handle("GET /image/v2/images/{id}", func(r *fabric.Request) error {
		i, err := g.find(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, show(i))
	})
	g.Handle("PATCH /image/v2/images/{id}", g.patch)
	g.Handle("DELETE /image/v2/images/{id}", g.remove)
	g.Handle("PUT /image/v2/images/{id}/file", g.upload)
	g.Handle("GET /image/v2/images/{id}/file", g.download)
	g.Handle("PUT /image/v2/images/{id}/tags/{tag}", g.tag)
	g.Handle("DELETE /image/v2/images/{id}/tags/{tag}", g.tag)
	g.Handle("POST /image/v2/images/{id}/actions/{action}", g.act)
	g.memberRoutes()
}

func (g *Glance) versions(r *fabric.Request) error {
	versions := []any{}
	for _, id := range []string{"v2.15", "v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8", "v2.7", "v2.6",
		"v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0"} {
		status := "SUPPORTED"
		if len(versions) == 0 {
			status = "CURRENT"
		}
		versions = append(versions, map[string]any{"id": id, "status": status,
			"links": []any{map[string]string{"rel": "self", "href": r.Base() + "/image/v2/"}}})
	}
	return r.JSON(http.StatusMultipleChoices, map[string]any{"versions": versions})
}

// find gives the image of the path, if the identity may see it.
func (g *Glance) find(r *fabric.Request) (image, error) {
	id := r.PathValue("id")
	i, ok := g.images.Get(id)
	if !ok || !i.visible(r.Identity) {
		return i, fabric.NotFound("No image found with ID %s", id)
	}
	return i, nil
}

// own gives the image of the path, if the identity may change it.
func (g *Glance) own(r *fabric.Request, action string) (image, error) {
	i, err := g.find(r)
	if err == nil && !(r.Sees(i.Owner) && r.Writer()) {
		err = notAllowed(action)
	}
	return i, err
}

func notAllowed(action string) error {
	return fabric.Forbidden("You are not authorized to complete %s action.", action)
}

// change changes an image; false if it is gone.
func (g *Glance) change(id string, do func(*image)) (image, bool) {
	i, ok, _ := g.images.Update(id, func(i *image) error {
		do(i)
		i.UpdatedAt = g.fab.Clock.Now()
		return nil
	})
	return i, ok
}

func (g *Glance) remove(r *fabric.Request) error {
	i, err := g.own(r, "delete_image")
	if err != nil {
		return err
	}
	err = g.fab.Atomic(func() error {
		i, ok := g.images.Get(i.ID)
		switch {
		case !ok:
			return fabric.NotFound("Failed to find image %s to delete", i.ID)
		case i.Protected:
			return fabric.Forbidden("Image %s is protected and cannot be deleted.", i.ID)
		case i.Properties[keyProperty] != "" && i.Properties[keyPolicy] == "on_image_deletion" && r.TrustID != "":
			// For the key Glance asks Keystone for a token of its own, which nobody gets with
			// that of a trust, and does not expect to be refused.
			return fabric.Errorf(http.StatusInternalServerError, "The server has either erred or is incapable of performing the requested operation.")
		}
		g.images.Delete(i.ID)
		return nil
	})
	if err == nil && i.Properties[keyPolicy] == "on_image_deletion" {
		g.keys.DropKey(i.Properties[keyProperty])
	}
	if err == nil {
		err = g.fab.Blobs.Remove(i.blob())
	}
	if err != nil {
		return err
	}
	return r.Empty(http.StatusNoContent)
}

func (g *Glance) tag(r *fabric.Request) error {
	i, err := g.own(r, "modify_image")
	if err != nil {
		return err
	}
	tag := r.PathValue("tag")
	if r.Method == http.MethodDelete && !slices.Contains(i.Tags, tag) {
		return fabric.NotFound("The resource could not be found.")
	}
	g.change(i.ID, func(i *image) {
		i.Tags = slices.DeleteFunc(i.Tags, func(t string) bool { return t == tag })
		if r.Method == http.MethodPut {
			i.Tags = append(i.Tags, tag)
		}
	})
	return r.Empty(http.StatusNoContent)
}

// act deactivates and reactivates an image.
func (g *Glance) act(r *fabric.Request) error {
	i, err := g.find(r)
	if err != nil {
		return err
	}
	from, to := active, deactivated
	switch action := r.PathValue("action"); {
	case action == "reactivate":
		from, to = deactivated, active
	case action != "deactivate":
		return fabric.NotFound("The resource could not be found.")
	}
	if !r.Admin() {
		return notAllowed(r.PathValue("action"))
	}
	if i.Status != from && i.Status != to {
		return fabric.Forbidden("Not allowed to %s image in status '%s'", r.PathValue("action"), i.Status)
	}
	g.change(i.ID, func(i *image) { i.Status = to })
	return r.Empty(http.StatusNoContent)
}
