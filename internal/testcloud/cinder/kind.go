package cinder

import (
	"maps"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// defaultType is the type of volumes that name none.
const defaultType = "standard"

// volumeType is a volume type as it is kept.
type volumeType struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	ExtraSpecs  map[string]string `json:"extra_specs"`
	Encryption  *encryption       `json:"encryption"` // nil: its volumes are not encrypted
}

func (c *Cinder) seedTypes() {
	for _, t := range []volumeType{
		{Name: defaultType, Description: "Sparse files"},
		{Name: "multiattach", Description: "Sparse files, for several servers at once", ExtraSpecs: map[string]string{"multiattach": "<is> True"}},
		{Name: "luks", Description: "Sparse files, encrypted", Encryption: &encryption{
			ID: fabric.NewID(), Provider: "luks", Cipher: "aes-xts-plain64", KeySize: 256, Location: "front-end"}},
	} {
		if _, ok := c.findType(t.Name); !ok {
			t.ID = fabric.NewID()
			c.types.Put(t.ID, t)
		}
	}
}

// findType finds a type by name or id; the default one if ref is empty.
func (c *Cinder) findType(ref string) (volumeType, bool) {
	for _, t := range c.types.List(nil) {
		if t.ID == ref || t.Name == firstText(ref, defaultType) {
			return t, true
		}
	}
	return volumeType{}, false
}

func showType(t volumeType) map[string]any {
	specs := map[string]string{}
	maps.Copy(specs, t.ExtraSpecs)
	return map[string]any{"id": t.ID, "name": t.Name, "description": textOrNull(t.Description), "is_public": true,
		"os-volume-type-access:is_public": true, "extra_specs": specs, "qos_specs_id": nil}
}

func (c *Cinder) typeRoutes() {
	c.handle("GET", "/types", func(r *fabric.Request) error {
		list := []any{}
		for _, t := range c.types.List(nil) {
			list = append(list, showType(t))
		}
		return r.JSON(http.StatusOK, map[string]any{"volume_types": list})
	})
	c.handle("GET", "/types/{id}", func(r *fabric.Request) error {
		ref := r.PathValue("id")
		if ref == "default" {
			ref = ""
		}
		t, ok := c.findType(ref)
		if !ok {
			return fabric.NotFound("Volume type %s could not be found.", ref)
		}
		return r.JSON(http.StatusOK, map[string]any{"volume_type": showType(t)})
	})
	c.handle("POST", "/types", func(r *fabric.Request) error {
		var body struct {
			Type struct {
				Name        string
				Description text
				ExtraSpecs  map[string]string `json:"extra_specs"`
			} `json:"volume_type"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if err := mayAdmin(r, "volume_extension:type_create"); err != nil {
			return err
		}
		if _, ok := c.findType(body.Type.Name); ok || body.Type.Name == "" {
			return fabric.Conflict("Volume Type %s already exists.", body.Type.Name)
		}
		t := volumeType{ID: fabric.NewID(), Name: body.Type.Name, Description: string(body.Type.Description), ExtraSpecs: body.Type.ExtraSpecs}
		c.types.Put(t.ID, t)
		return r.JSON(http.StatusOK, map[string]any{"volume_type": showType(t)})
	})
	c.handle("DELETE", "/types/{id}", func(r *fabric.Request) error {
		if err := mayAdmin(r, "volume_extension:type_delete"); err != nil {
			return err
		}
		t, ok := c.findType(r.PathValue("id"))
		if !ok {
			return fabric.NotFound("Volume type %s could not be found.", r.PathValue("id"))
		}
		if len(c.volumes.List(func(v volume) bool { return v.Type == t.Name })) > 0 || t.Name == defaultType {
			return fabric.BadRequest("Target volume type is still in use.")
		}
		c.types.Delete(t.ID)
		return r.Empty(http.StatusAccepted)
	})
}
