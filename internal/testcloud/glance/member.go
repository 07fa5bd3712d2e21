package glance

import (
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (g *Glance) memberRoutes() {
	const path = "/image/v2/images/{id}/members"
	g.Handle("GET "+path, g.listMembers)
	g.Handle("POST "+path, func(r *fabric.Request) error {
		var body struct{ Member string }
		if err := r.Decode(&body); err != nil {
			return err
		}
		i, err := g.own(r, "add_member")
		if err != nil {
			return err
		}
		if i.Visibility != shared {
			return fabric.Forbidden("Only shared images have members.")
		}
		if _, ok := i.Members[body.Member]; ok {
			return fabric.Conflict("Member %s is duplicated for image %s", body.Member, i.ID)
		}
		return g.setMember(r, i.ID, body.Member, "pending")
	})
	g.Handle("GET "+path+"/{member}", g.showMember)
	g.Handle("PUT "+path+"/{member}", g.answerMember)
	g.Handle("DELETE "+path+"/{member}", func(r *fabric.Request) error {
		i, err := g.own(r, "delete_member")
		if err != nil {
			return err
		}
		if _, ok := i.Members[r.PathValue("member")]; !ok {
			return fabric.NotFound("%s not found in the member list of the image %s.", r.PathValue("member"), i.ID)
		}
		g.change(i.ID, func(i *image) { delete(i.Members, r.PathValue("member")) })
		return r.Empty(http.StatusNoContent)
	})
}

func (g *Glance) showMember(r *fabric.Request) error {
	i, err := g.find(r)
	if err != nil {
		return err
	}
	status, ok := i.Members[r.PathValue("member")]
	if !ok || !r.Sees(i.Owner) && r.PathValue("member") != r.ProjectID {
		return fabric.NotFound("The resource could not be found.")
	}
	return r.JSON(http.StatusOK, showMember(i, r.PathValue("member"), status))
}

// answerMember lets a member accept or reject an image.
func (g *Glance) answerMember(r *fabric.Request) error {
	var body struct{ Status string }
	if err := r.Decode(&body); err != nil {
		return err
	}
	i, err := g.find(r)
	if err != nil {
		return err
	}
	member := r.PathValue("member")
	if _, ok := i.Members[member]; !ok {
		return fabric.NotFound("Member %s not found", member)
	}
	if member != r.ProjectID && !r.Admin() {
		return notAllowed("modify_member")
	}
	if !slices.Contains([]string{"pending", "accepted", "rejected"}, body.Status) {
		return fabric.BadRequest("Invalid member status: %s", body.Status)
	}
	return g.setMember(r, i.ID, member, body.Status)
}

func (g *Glance) listMembers(r *fabric.Request) error {
	i, err := g.find(r)
	if err != nil {
		return err
	}
	members := []any{}
	for id, status := range i.Members {
		if r.Sees(i.Owner) || id == r.ProjectID {
			members = append(members, showMember(i, id, status))
		}
	}
	return r.JSON(http.StatusOK, map[string]any{"members": members, "schema": "/v2/schemas/members"})
}

func (g *Glance) setMember(r *fabric.Request, id, member, status string) error {
	i, ok := g.change(id, func(i *image) {
		if i.Members == nil {
			i.Members = map[string]string{}
		}
		i.Members[member] = status
	})
	if !ok {
		return fabric.NotFound("No image found with ID %s", id)
	}
	return r.JSON(http.StatusOK, showMember(i, member, status))
}

func showMember(i image, member, status string) map[string]any {
	return map[string]any{"member_id": member, "image_id": i.ID, "status": status, "schema": "/v2/schemas/member",
		"created_at": fabric.Seconds(i.CreatedAt), "updated_at": fabric.Seconds(i.UpdatedAt)}
}
