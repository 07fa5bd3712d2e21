package nova

import (
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

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
