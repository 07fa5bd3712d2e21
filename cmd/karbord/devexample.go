package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"

	"github.com/karbor/karbor/internal/testcloud"
)

// member is a JSON object of the cloud's APIs.
type member = map[string]any

// example builds the application that the tenants' pages protect: a server web that
// boots from a volume, and a server db that boots from an image, both in one network.
type example struct {
	network, volume, compute, image *gophercloud.ServiceClient
}

// exampleLimit bounds the building of the example.
const exampleLimit = time.Minute

// writeExample builds the example as the user u, unless a server web is there.
func writeExample(ctx context.Context, cloud string, u testcloud.User) error {
	ctx, cancel := context.WithTimeout(ctx, exampleLimit)
	defer cancel()
	provider, err := openstack.AuthenticatedClient(ctx, gophercloud.AuthOptions{
		IdentityEndpoint: cloud, Username: u.Name, Password: u.Password, DomainID: "default",
		Scope: &gophercloud.AuthScope{ProjectName: u.ProjectName, DomainID: "default"},
	})
	if err != nil {
		return fmt.Errorf("logging in as %s: %w", u.Name, err)
	}
	var e example
	var endpoint gophercloud.EndpointOpts
	for _, s := range []struct {
		into **gophercloud.ServiceClient
		open func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error)
	}{
		{&e.network, openstack.NewNetworkV2}, {&e.volume, openstack.NewBlockStorageV3},
		{&e.compute, openstack.NewComputeV2}, {&e.image, openstack.NewImageV2},
	} {
		if *s.into, err = s.open(provider, endpoint); err != nil {
			return fmt.Errorf("finding a service of the cloud: %w", err)
		}
	}
	found, err := e.list(ctx, e.compute, "servers", "web")
	if err != nil || len(found) > 0 {
		return err
	}
	if err := e.build(ctx); err != nil {
		return fmt.Errorf("building the example: %w", err)
	}
	return nil
}

func (e example) build(ctx context.Context) error {
	images, err := e.list(ctx, e.image, "images", "cirros")
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return errors.New("there is no image cirros")
	}
	image := images[0]
	network, err := e.create(ctx, e.network, "networks", "network", member{"name": "shop-net"})
	if err != nil {
		return err
	}
	if _, err := e.create(ctx, e.network, "subnets", "subnet",
		member{"name": "shop-subnet", "network_id": network, "ip_version": 4, "cidr": "10.5.0.0/24"}); err != nil {
		return err
	}
	root, err := e.newVolume(ctx, member{"name": "web-root", "size": 1, "imageRef": image})
	if err != nil {
		return err
	}
	boot := []any{member{"boot_index": 0, "uuid": root, "source_type": "volume", "destination_type": "volume"}}
	if err := e.newServer(ctx, member{"name": "web", "block_device_mapping_v2": boot}, network); err != nil {
		return err
	}
	return e.newServer(ctx, member{"name": "db", "imageRef": image}, network)
}

func (e example) newVolume(ctx context.Context, body member) (string, error) {
	id, err := e.create(ctx, e.volume, "volumes", "volume", body)
	if err != nil {
		return "", err
	}
	return id, e.settle(ctx, e.volume, "volumes", "volume", id, "available")
}

// newServer makes a server of the smallest flavor, 1.
func (e example) newServer(ctx context.Context, body member, network string) error {
	body["flavorRef"], body["networks"] = "1", []any{member{"uuid": network}}
	id, err := e.create(ctx, e.compute, "servers", "server", body)
	if err != nil {
		return err
	}
	return e.settle(ctx, e.compute, "servers", "server", id, "ACTIVE")
}

// create posts a thing and gives its id.
func (e example) create(ctx context.Context, s *gophercloud.ServiceClient, path, key string, body member) (string, error) {
	var answer map[string]struct{ ID string }
	_, err := s.Post(ctx, s.ServiceURL(path), map[string]any{key: body}, &answer, //nolint:bodyclose // gophercloud has closed it
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}})
	if err != nil {
		return "", fmt.Errorf("creating a %s: %w", key, err)
	}
	return answer[key].ID, nil
}

// list gives the ids of the things of a name.
func (e example) list(ctx context.Context, s *gophercloud.ServiceClient, path, name string) ([]string, error) {
	var answer map[string]json.RawMessage
	target := s.ServiceURL(path) + "?name=" + url.QueryEscape(name)
	if _, err := s.Get(ctx, target, &answer, nil); err != nil { //nolint:bodyclose // gophercloud has closed it
		return nil, fmt.Errorf("listing %s: %w", path, err)
	}
	var things []struct{ ID, Name string }
	if err := json.Unmarshal(answer[path], &things); err != nil {
		return nil, fmt.Errorf("listing %s: %w", path, err)
	}
	var ids []string
	for _, found := range things {
		if found.Name == name {
			ids = append(ids, found.ID)
		}
	}
	return ids, nil
}

// settle waits until a thing has the status.
func (e example) settle(ctx context.Context, s *gophercloud.ServiceClient, path, key, id, status string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var answer map[string]struct{ Status string }
		if _, err := s.Get(ctx, s.ServiceURL(path, id), &answer, nil); err != nil { //nolint:bodyclose // gophercloud has closed it
			return fmt.Errorf("looking at a %s: %w", key, err)
		}
		switch now := answer[key].Status; {
		case now == status:
			return nil
		case strings.EqualFold(now, "error"):
			return fmt.Errorf("the %s %s is in error", key, id)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the %s %s: %w", key, id, ctx.Err())
		case <-tick.C:
		}
	}
}
