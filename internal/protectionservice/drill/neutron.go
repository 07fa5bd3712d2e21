package drill

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/openstack/networking"
)

// thing is what Neutron shows of anything.
type thing struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	ProjectID   string `json:"project_id"`
}

// neutron speaks with the tenant's Neutron.
type neutron struct {
	client  *gophercloud.ServiceClient
	project string
}

func newNeutron(ctx context.Context, cloud karbor.Cloud) (neutron, error) {
	client, err := openstack.Network(ctx, cloud)
	return neutron{client, cloud.ProjectID()}, err
}

// list reads what a query finds of a kind, such as "security-groups".
func list[T any](ctx context.Context, n neutron, kind string, query url.Values) ([]T, error) {
	all, err := networking.List[T](ctx, n.client, kind, query)
	return all, openstack.Explain(err, "listing the %s", strings.ReplaceAll(kind, "-", " "))
}

// made gives what a drill has made of a kind: what has its mark, in its own project.
func (n neutron) made(ctx context.Context, kind, id string) ([]thing, error) {
	all, err := list[thing](ctx, n, kind, url.Values{"project_id": {n.project}})
	var ours []thing
	for _, t := range all {
		if t.ProjectID == n.project && strings.HasPrefix(t.Description, markPrefix(id)) {
			ours = append(ours, t)
		}
	}
	return ours, err
}

// find gives the id of what has a mark, or "".
func (n neutron) find(ctx context.Context, kind, description string) (string, error) {
	all, err := list[thing](ctx, n, kind, url.Values{"description": {description}})
	for _, t := range all {
		if t.ProjectID == n.project && t.Description == description {
			return t.ID, err
		}
	}
	return "", err
}

// create makes a thing; the error is the client's own.
func (n neutron) create(ctx context.Context, kind, one string, body map[string]any, out any) error {
	var envelope map[string]json.RawMessage
	_, err := n.client.Post(ctx, n.client.ServiceURL(kind), map[string]any{one: body}, &envelope, //nolint:bodyclose // gophercloud has closed it
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated}})
	if err != nil {
		return err
	}
	return json.Unmarshal(envelope[one], out)
}

// put changes what is at a path; the error is the client's own.
func (n neutron) put(ctx context.Context, body any, path ...string) error {
	var ignored json.RawMessage
	opts := &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusCreated}}
	_, err := n.client.Put(ctx, n.client.ServiceURL(path...), body, &ignored, opts) //nolint:bodyclose // gophercloud has closed it
	return err
}

// remove deletes a thing. One that is not there is no error.
func (n neutron) remove(ctx context.Context, kind, id string) error {
	err := networking.Delete(ctx, n.client, kind, id)
	return openstack.Explain(err, "deleting %s of the drill (%s)", strings.ReplaceAll(kind, "-", " "), id)
}
