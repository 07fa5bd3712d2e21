package openstack

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
)

// VolumeZones names the availability zones of Cinder's in which volumes can be made. Source: the Block Storage
// API v3, "List Availability Zone Information": the list has no pages.
func VolumeZones(ctx context.Context, client *gophercloud.ServiceClient) ([]string, error) {
	var answer struct {
		Zones []struct {
			Name  string `json:"zoneName"`
			State struct {
				Available bool `json:"available"`
			} `json:"zoneState"`
		} `json:"availabilityZoneInfo"`
	}
	if _, err := client.Get(ctx, client.ServiceURL("os-availability-zone"), &answer, nil); err != nil {
		return nil, explain(err, "listing the volume availability zones")
	}
	var names []string
	for _, z := range answer.Zones {
		if z.State.Available {
			names = append(names, z.Name)
		}
	}
	return names, nil
}
