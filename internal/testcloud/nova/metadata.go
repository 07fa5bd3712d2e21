package nova

import (
	"maps"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (n *Nova) metadataRoutes() {
	path := root + "/servers/{id}/metadata"
	n.Handle("GET "+path, func(r *fabric.Request) error {
		s, err := n.find(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, object{"metadata": s.Metadata})
	})
	n.Handle("POST "+path, n.setMetadata(false))
	n.Handle("PUT "+path, n.setMetadata(true))
	n.Handle("GET "+path+"/{key}", func(r *fabric.Request) error {
		s, err := n.find(r)
		if err != nil {
			return err
		}
		key := r.PathValue("key")
		value, ok := s.Metadata[key]
		if !ok {
			return fabric.NotFound("Metadata item was not found")
		}
		return r.JSON(http.StatusOK, object{"meta": object{key: value}})
	})
	n.Handle("PUT "+path+"/{key}", n.setItem)
	n.Handle("DELETE "+path+"/{key}", func(r *fabric.Request) error {
		s, err := n.own(r, "server-metadata:delete")
		if err != nil {
			return err
		}
		if _, ok := s.Metadata[r.PathValue("key")]; !ok {
			return fabric.NotFound("Metadata item was not found")
		}
		n.change(s.ID, func(s *Server) { delete(s.Metadata, r.PathValue("key")) })
		return r.Empty(http.StatusNoContent)
	})
}

func (n *Nova) setMetadata(replace bool) fabric.Handler {
	return func(r *fabric.Request) error {
		s, err := n.own(r, "server-metadata:create")
		if err != nil {
			return err
		}
		var body struct {
			Metadata map[string]string `json:"metadata"`
		}
		if err := r.Decode(&body); err != nil || body.Metadata == nil {
			return fabric.BadRequest("Invalid input for field/attribute body. 'metadata' is a required property")
		}
		if limit := n.fab.Quotas.Limit(s.ProjectID, "metadata_items"); limit >= 0 && len(body.Metadata) > limit {
			return fabric.Forbidden("Maximum number of metadata items exceeds %d", limit)
		}
		s, _ = n.change(s.ID, func(s *Server) {
			if replace || s.Metadata == nil {
				s.Metadata = map[string]string{}
			}
			maps.Copy(s.Metadata, body.Metadata)
		})
		return r.JSON(http.StatusOK, object{"metadata": s.Metadata})
	}
}

func (n *Nova) setItem(r *fabric.Request) error {
	s, err := n.own(r, "server-metadata:update")
	if err != nil {
		return err
	}
	var body struct {
		Meta map[string]string `json:"meta"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	value, ok := body.Meta[r.PathValue("key")]
	if !ok {
		return fabric.BadRequest("Request body and URI mismatch")
	}
	n.change(s.ID, func(s *Server) {
		if s.Metadata == nil {
			s.Metadata = map[string]string{}
		}
		s.Metadata[r.PathValue("key")] = value
	})
	return r.JSON(http.StatusOK, object{"meta": body.Meta})
}

// maxTags is how many tags a server may have.
const maxTags = 50

// tagRoutes are there from microversion 2.26 on.
func (n *Nova) tagRoutes() {
	path := root + "/servers/{id}/tags"
	handle := func(pattern string, h func(*fabric.Request, Server) error) {
		n.Handle(pattern, func(r *fabric.Request) error {
			if !r.Version.AtLeast(2, 26) {
				return fabric.NotFound("The resource could not be found.")
			}
			find := n.find
			if r.Method != http.MethodGet {
				find = func(r *fabric.Request) (Server, error) { return n.own(r, "os-server-tags:update") }
			}
			s, err := find(r)
			if err != nil {
				return err
			}
			return h(r, s)
		})
	}
	handle("GET "+path, func(r *fabric.Request, s Server) error { return r.JSON(http.StatusOK, object{"tags": s.Tags}) })
	handle("PUT "+path, func(r *fabric.Request, s Server) error {
		var body struct {
			Tags []string `json:"tags"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if len(body.Tags) > maxTags {
			return fabric.BadRequest("The number of tags exceeded the per-server limit %d", maxTags)
		}
		tags := slices.Compact(slices.Sorted(slices.Values(body.Tags)))
		return r.JSON(http.StatusOK, object{"tags": n.setTags(s, tags)})
	})
	handle("DELETE "+path, func(r *fabric.Request, s Server) error {
		n.setTags(s, nil)
		return r.Empty(http.StatusNoContent)
	})
	handle("GET "+path+"/{tag}", func(r *fabric.Request, s Server) error {
		if !slices.Contains(s.Tags, r.PathValue("tag")) {
			return fabric.NotFound("Server %s has no tag '%s'", s.ID, r.PathValue("tag"))
		}
		return r.Empty(http.StatusNoContent)
	})
	handle("PUT "+path+"/{tag}", func(r *fabric.Request, s Server) error {
		if slices.Contains(s.Tags, r.PathValue("tag")) {
			return r.Empty(http.StatusNoContent)
		}
		n.setTags(s, append(s.Tags, r.PathValue("tag")))
		r.W.Header().Set("Location", r.Base()+r.URL.Path)
		return r.Empty(http.StatusCreated)
	})
	handle("DELETE "+path+"/{tag}", func(r *fabric.Request, s Server) error {
		at := slices.Index(s.Tags, r.PathValue("tag"))
		if at < 0 {
			return fabric.NotFound("Instance %s has no tag '%s'", s.ID, r.PathValue("tag"))
		}
		n.setTags(s, slices.Delete(s.Tags, at, at+1))
		return r.Empty(http.StatusNoContent)
	})
}

func (n *Nova) setTags(s Server, tags []string) []string {
	if tags == nil {
		tags = []string{}
	}
	n.change(s.ID, func(s *Server) { s.Tags = tags })
	return tags
}
