package nova

import (
	"maps"
	"net/http"

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
