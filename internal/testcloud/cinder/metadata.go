package cinder

import (
	"maps"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// metadataOf reads and changes the metadata of one kind of resource.
type metadataOf struct {
	noun string // as in messages
	path string // such as "/volumes/{id}"
	get  func(r *fabric.Request) (map[string]string, error)
	set  func(id string, do func(map[string]string)) (map[string]string, error)
}

func (c *Cinder) metadataRoutes() {
	c.metadataRoutesOf(metadataOf{"Volume", "/volumes/{id}/metadata",
		func(r *fabric.Request) (map[string]string, error) {
			v, err := c.volume(r.Identity, r.PathValue("id"))
			return v.Metadata, err
		},
		func(id string, do func(map[string]string)) (map[string]string, error) {
			v, err := c.change(id, func(v *volume) error { v.Metadata = changed(v.Metadata, do); return nil })
			return v.Metadata, err
		}})
	c.metadataRoutesOf(metadataOf{"Snapshot", "/snapshots/{id}/metadata",
		func(r *fabric.Request) (map[string]string, error) {
			s, err := c.snapshot(r.Identity, r.PathValue("id"))
			return s.Metadata, err
		},
		func(id string, do func(map[string]string)) (map[string]string, error) {
			s, err := c.changeSnapshot(id, func(s *snapshot) error { s.Metadata = changed(s.Metadata, do); return nil })
			return s.Metadata, err
		}})
}

func changed(m map[string]string, do func(map[string]string)) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	do(m)
	return m
}

func (c *Cinder) metadataRoutesOf(m metadataOf) {
	c.handle("GET", m.path, func(r *fabric.Request) error {
		have, err := m.get(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"metadata": changed(have, func(map[string]string) {})})
	})
	c.handle("POST", m.path, func(r *fabric.Request) error { return m.write(r, false) })
	c.handle("PUT", m.path, func(r *fabric.Request) error { return m.write(r, true) })
	c.handle("GET", m.path+"/{key}", func(r *fabric.Request) error {
		have, err := m.get(r)
		if err != nil {
			return err
		}
		value, ok := have[r.PathValue("key")]
		if !ok {
			return m.missing(r)
		}
		return r.JSON(http.StatusOK, map[string]any{"meta": map[string]string{r.PathValue("key"): value}})
	})
	c.handle("PUT", m.path+"/{key}", func(r *fabric.Request) error {
		var body struct{ Meta map[string]string }
		if err := r.Decode(&body); err != nil {
			return err
		}
		value, ok := body.Meta[r.PathValue("key")]
		if !ok || len(body.Meta) != 1 {
			return fabric.BadRequest("Request body contains too many items or not the key of the URL.")
		}
		if _, err := m.get(r); err != nil {
			return err
		}
		if _, err := m.set(r.PathValue("id"), func(have map[string]string) { have[r.PathValue("key")] = value }); err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"meta": body.Meta})
	})
	c.handle("DELETE", m.path+"/{key}", func(r *fabric.Request) error {
		have, err := m.get(r)
		if err != nil {
			return err
		}
		if err := mayWrite(r, "volume:delete_volume_metadata"); err != nil {
			return err
		}
		if _, ok := have[r.PathValue("key")]; !ok {
			return m.missing(r)
		}
		if _, err := m.set(r.PathValue("id"), func(have map[string]string) { delete(have, r.PathValue("key")) }); err != nil {
			return err
		}
		return r.Empty(http.StatusOK)
	})
}

func (m metadataOf) missing(r *fabric.Request) error {
	return fabric.NotFound("%s %s has no metadata with key %s.", m.noun, r.PathValue("id"), r.PathValue("key"))
}

// write adds to the metadata, or puts new ones in their place.
func (m metadataOf) write(r *fabric.Request, replace bool) error {
	var body struct{ Metadata map[string]string }
	if err := r.Decode(&body); err != nil {
		return err
	}
	if _, err := m.get(r); err != nil {
		return err
	}
	if err := mayWrite(r, "volume:update_volume_metadata"); err != nil {
		return err
	}
	all, err := m.set(r.PathValue("id"), func(have map[string]string) {
		if replace {
			clear(have)
		}
		maps.Copy(have, body.Metadata)
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"metadata": all})
}
