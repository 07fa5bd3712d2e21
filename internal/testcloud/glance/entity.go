package glance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// readOnly are the members that only the service sets.
var readOnly = []string{"status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value",
	"created_at", "updated_at", "self", "file", "schema", "direct_url", "locations", "stores"}

// base are the members that are no extra properties and may be set.
var base = []string{"id", "owner", "name", "visibility", "protected", "tags", "disk_format",
	"container_format", "min_disk", "min_ram", "os_hidden"}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// show writes an image as the real service does.
func show(i image) map[string]any {
	body := map[string]any{}
	for name, value := range i.Properties {
		body[name] = value
	}
	self := "/v2/images/" + i.ID
	maps.Copy(body, map[string]any{
		"id": i.ID, "name": textOrNull(i.Name), "status": i.Status, "visibility": i.Visibility, "owner": i.Owner,
		"disk_format": textOrNull(i.DiskFormat), "container_format": textOrNull(i.ContainerFormat),
		"size": i.Size, "virtual_size": i.Size, "checksum": textOrNull(i.Checksum), "protected": i.Protected,
		"os_hidden": i.Hidden, "min_disk": i.MinDisk, "min_ram": i.MinRAM, "tags": append([]string{}, i.Tags...),
		"os_hash_value": textOrNull(i.HashValue), "os_hash_algo": nil,
		"created_at": fabric.Seconds(i.CreatedAt), "updated_at": fabric.Seconds(i.UpdatedAt),
		"self": self, "file": self + "/file", "schema": "/v2/schemas/image",
	})
	if i.HashValue != "" {
		body["os_hash_algo"] = "sha512"
	}
	if i.Status == active {
		body["stores"] = "file"
	}
	return body
}

// set sets one member from JSON. The error is a 400 or 403.
func (i *image) set(who fabric.Identity, name string, value json.RawMessage) error {
	if slices.Contains(readOnly, name) {
		return fabric.Forbidden("Attribute '%s' is read-only.", name)
	}
	var err error
	switch name {
	case "id":
		err = json.Unmarshal(value, &i.ID)
	case "owner":
		owner := i.Owner
		if err = json.Unmarshal(value, &owner); err == nil && owner != i.Owner && !who.Admin() {
			return fabric.Forbidden("You are not permitted to create images owned by '%s'.", owner)
		}
		i.Owner = owner
	case "name":
		i.Name = ""
		err = json.Unmarshal(value, &i.Name)
	case "visibility":
		if err = json.Unmarshal(value, &i.Visibility); err == nil {
			err = checkVisibility(who, i.Visibility)
		}
	case "protected":
		err = json.Unmarshal(value, &i.Protected)
	case "os_hidden":
		err = json.Unmarshal(value, &i.Hidden)
	case "tags":
		i.Tags = nil
		err = json.Unmarshal(value, &i.Tags)
	case "disk_format", "container_format":
		err = i.setFormat(name, value)
	case "min_disk":
		err = json.Unmarshal(value, &i.MinDisk)
	case "min_ram":
		err = json.Unmarshal(value, &i.MinRAM)
	default:
		var text *string
		if err = json.Unmarshal(value, &text); err == nil && text != nil {
			i.Properties[name] = *text
		}
	}
	unmarshalTypeError := &json.UnmarshalTypeError{}
	if errors.As(err, &unmarshalTypeError) {
		return fabric.BadRequest("Provided object does not match schema 'image': %s is not of the type of %q", value, name)
	}
	return err
}

func (i *image) setFormat(name string, value json.RawMessage) error {
	var format string
	if err := json.Unmarshal(value, &format); err != nil {
		return err
	}
	known := []string{"", "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"}
	if name == "disk_format" {
		known = []string{"", "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"}
	}
	if !slices.Contains(known, format) {
		return fabric.BadRequest("Provided object does not match schema 'image': '%s' is not one of %v", format, known[1:])
	}
	if i.Status != queued {
		return fabric.Forbidden("Attribute %s can be only replaced for a queued image.", name)
	}
	if name == "disk_format" {
		i.DiskFormat = format
	} else {
		i.ContainerFormat = format
	}
	return nil
}

func checkVisibility(who fabric.Identity, v string) error {
	switch v {
	case private, shared, community:
		return nil
	case public:
		if !who.Admin() {
			return notAllowed("publicize_image")
		}
		return nil
	}
	return fabric.BadRequest("Provided object does not match schema 'image': '%s' is not one of ['community', 'public', 'private', 'shared']", v)
}

// blank gives a new image of the identity's project.
func (g *Glance) blank(who fabric.Identity) image {
	now := g.fab.Clock.Now()
	return image{ID: fabric.NewID(), Status: queued, Visibility: shared, Owner: who.ProjectID,
		Properties: map[string]string{}, Members: map[string]string{}, CreatedAt: now, UpdatedAt: now}
}

func (g *Glance) create(r *fabric.Request) error {
	var body map[string]json.RawMessage
	if err := r.Decode(&body); err != nil {
		return err
	}
	if !r.Writer() || r.ProjectID == "" {
		return notAllowed("add_image")
	}
	i := g.blank(r.Identity)
	for name, value := range body {
		if err := i.set(r.Identity, name, value); err != nil {
			return err
		}
	}
	if err := g.insert(i); err != nil {
		return err
	}
	r.W.Header().Set("Location", r.Base()+"/image/v2/images/"+i.ID)
	r.W.Header().Set("OpenStack-image-store-ids", "file")
	return r.JSON(http.StatusCreated, show(i))
}

func (g *Glance) insert(i image) error {
	return g.fab.Atomic(func() error {
		if _, ok := g.images.Get(i.ID); ok {
			return fabric.Conflict("Image ID %s already exists!", i.ID)
		}
		g.images.Put(i.ID, i)
		return nil
	})
}

// schema gives a short form of the schemas; clients only look at the members'
// names.
func (g *Glance) schema(r *fabric.Request) error {
	name := r.PathValue("name")
	properties := map[string]any{}
	switch name {
	case "image":
		for _, p := range base {
			properties[p] = map[string]any{"type": []string{"null", "string"}}
		}
		for _, p := range readOnly {
			properties[p] = map[string]any{"type": []string{"null", "string"}, "readOnly": true}
		}
		for p, kind := range map[string]string{"protected": "boolean", "os_hidden": "boolean", "min_disk": "integer", "min_ram": "integer", "tags": "array"} {
			properties[p] = map[string]any{"type": kind}
		}
		return r.JSON(http.StatusOK, map[string]any{"name": name, "properties": properties,
			"additionalProperties": map[string]string{"type": "string"},
			"links":                []any{map[string]string{"rel": "self", "href": "{self}"}}})
	case "images", "members":
		properties[name] = map[string]any{"type": "array"}
	case "member":
		for _, p := range []string{"member_id", "image_id", "status", "created_at", "updated_at", "schema"} {
			properties[p] = map[string]string{"type": "string"}
		}
	default:
		return fabric.NotFound("The resource could not be found.")
	}
	return r.JSON(http.StatusOK, map[string]any{"name": name, "properties": properties})
}

// operation is one step of a JSON patch.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

func (g *Glance) patch(r *fabric.Request) error {
	switch r.Header.Get("Content-Type") {
	case "application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch":
	default:
		return fabric.Errorf(http.StatusUnsupportedMediaType, "The request media type %s is not supported by this server.", r.Header.Get("Content-Type"))
	}
	var steps []operation
	if err := r.Decode(&steps); err != nil {
		return err
	}
	i, err := g.own(r, "modify_image")
	if err != nil {
		return err
	}
	i, ok, err := g.images.Update(i.ID, func(i *image) error {
		for _, step := range steps {
			if err := i.apply(r.Identity, step); err != nil {
				return err
			}
		}
		i.UpdatedAt = g.fab.Clock.Now()
		return nil
	})
	if err != nil {
		return err
	}
	if !ok {
		return fabric.NotFound("No image found with ID %s", i.ID)
	}
	return r.JSON(http.StatusOK, show(i))
}

func (i *image) apply(who fabric.Identity, step operation) error {
	name, err := pointer(step.Path)
	if err != nil {
		return err
	}
	_, extra := i.Properties[name]
	known := extra || slices.Contains(base, name)
	switch {
	case slices.Contains(readOnly, name) || name == "id":
		return fabric.Forbidden("Attribute '%s' is read-only.", name)
	case step.Op == "add", step.Op == "replace" && known:
		return i.set(who, name, step.Value)
	case step.Op == "remove" && extra:
		delete(i.Properties, name)
		return nil
	case step.Op == "remove" && slices.Contains(base, name):
		return fabric.Forbidden("Property %s may not be removed.", name)
	case step.Op == "replace", step.Op == "remove":
		return fabric.Conflict("Property %s does not exist.", name)
	}
	return fabric.BadRequest("Operations must be JSON objects with one of 'add', 'remove', or 'replace', not %s", fmt.Sprintf("%q", step.Op))
}
