package cloudtest

import (
	"context"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shares"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// Share makes an NFS share of 1 GiB, waits until it is available, and gives its id.
func Share(t testing.TB, c karbor.Cloud, name string) string {
	t.Helper()
	client := service(t, c, openstack.SharedFileSystems)
	s, err := shares.Create(t.Context(), client, shares.CreateOpts{Name: name, Size: 1, ShareProto: "NFS"}).Extract()
	must(t, err, "making share "+name)
	wait(t, "share "+name, func(ctx context.Context) (bool, error) {
		got, err := shares.Get(ctx, client, s.ID).Extract()
		return err == nil && got.Status == "available", err
	})
	return s.ID
}

// SetShareStatus makes Manila say that a share has a status. c is an administrator's
// session.
func SetShareStatus(t testing.TB, c karbor.Cloud, id, status string) {
	t.Helper()
	err := shares.ResetStatus(t.Context(), service(t, c, openstack.SharedFileSystems), id, shares.ResetStatusOpts{Status: status}).ExtractErr()
	must(t, err, "setting the status of share "+id)
}

// PublishShare lets all projects see a share. c is an administrator's session.
func PublishShare(t testing.TB, c karbor.Cloud, id string) {
	t.Helper()
	public := true
	_, err := shares.Update(t.Context(), service(t, c, openstack.SharedFileSystems), id, shares.UpdateOpts{IsPublic: &public}).Extract()
	must(t, err, "publishing share "+id)
}
