package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/openstack/networking"
	"github.com/karbor/karbor/protection"
)

// api speaks the JSON of one service with the members that the document keeps;
// the typed requests of the client library leave some of them out.
type api struct{ client *gophercloud.ServiceClient }

// clients are the services that the hooks talk to.
type clients struct{ compute, network, volume, image api }

func connect(ctx context.Context, call *protection.Call) (c clients, err error) {
	if c.compute.client, err = openstack.Compute(ctx, call.Cloud); err != nil {
		return c, err
	}
	if c.network.client, err = openstack.Network(ctx, call.Cloud); err != nil {
		return c, err
	}
	if c.volume.client, err = openstack.BlockStorage(ctx, call.Cloud); err != nil {
		return c, err
	}
	c.image.client, err = openstack.Image(ctx, call.Cloud)
	return c, err
}

// at gives the same service at another microversion.
func (a api) at(microversion string) api {
	other := *a.client
	other.Microversion = microversion
	return api{&other}
}

// get reads path; member names the envelope, or is "" if there is none. The error
// of this and of the other methods is the client's own.
func (a api) get(ctx context.Context, path string, query url.Values, member string, out any) error {
	address := a.client.ServiceURL(path)
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var text json.RawMessage
	_, err := a.client.Get(ctx, address, &text, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusNonAuthoritativeInfo}})
	if err != nil || member == "" {
		if err == nil {
			err = json.Unmarshal(text, out)
		}
		return err
	}
	return unwrap(text, member, out)
}

func unwrap(text json.RawMessage, member string, out any) error {
	var envelope map[string]json.RawMessage
	if err := json.Unmarshal(text, &envelope); err != nil {
		return err
	}
	if envelope[member] == nil {
		return nil
	}
	return json.Unmarshal(envelope[member], out)
}

// post sends body to path, and reads a member of the answer into out unless that
// is nil.
func (a api) post(ctx context.Context, path string, body any, member string, out any) error {
	var text json.RawMessage
	response, err := a.client.Post(ctx, a.client.ServiceURL(path), body, nil, &gophercloud.RequestOpts{
		KeepResponseBody: true,
		OkCodes:          []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent},
	})
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(&text); err != nil {
		return err
	}
	return unwrap(text, member, out)
}

func (a api) put(ctx context.Context, path string, body any) error {
	var ignored json.RawMessage
	_, err := a.client.Put(ctx, a.client.ServiceURL(path), body, &ignored,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}})
	return err
}

// remove deletes what is at path. If it is not there that is no error.
func (a api) remove(ctx context.Context, path string) error {
	_, err := a.client.Delete(ctx, a.client.ServiceURL(path), &gophercloud.RequestOpts{
		OkCodes: []int{http.StatusOK, http.StatusAccepted, http.StatusNoContent},
	})
	if openstack.IsNotFound(err) {
		return nil
	}
	return err
}

// all reads all that a query finds of one of Neutron's kinds, each once, in the order of the
// ids. The error is the client's own.
func all[T any](ctx context.Context, network api, kind string, query url.Values) ([]T, error) {
	return networking.List[T](ctx, network.client, kind, query)
}

// untagged gives tags without Karbor's own.
func untagged(tags []string) []string {
	out := []string{}
	for _, t := range tags {
		if !strings.HasPrefix(t, "karbor-") {
			out = append(out, t)
		}
	}
	return out
}

// ownTags are the tags of what a restore makes for an original.
func ownTags(owner, original string) []string {
	return []string{protection.OwnerMark(owner), "karbor-id-" + original}
}

// marks are the descriptions of what is made in Neutron for an original, until the restore is done
// with it. It is born with the first: there is no call that makes a thing and tags it.
func marks(call *protection.Call, original string) []string {
	return call.RestoringTexts(protection.OwnerMark(call.Owner) + "-" + original)
}
