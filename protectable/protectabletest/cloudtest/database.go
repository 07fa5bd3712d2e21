package cloudtest

import (
	"context"
	"maps"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// Database makes a database instance of 1 GiB, waits until it is active, and gives its id.
// members are more members of the request.
func Database(t testing.TB, c karbor.Cloud, name string, members map[string]any) string {
	t.Helper()
	client := service(t, c, openstack.Database)
	ask := map[string]any{"name": name, "flavorRef": "1", "volume": map[string]any{"size": 1}}
	maps.Copy(ask, members)
	var answer struct{ Instance struct{ ID, Status string } }
	_, err := client.Post(t.Context(), client.ServiceURL("instances"), map[string]any{"instance": ask}, &answer,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	must(t, err, "making database instance "+name)
	id := answer.Instance.ID
	wait(t, "database instance "+name, func(ctx context.Context) (bool, error) {
		_, err := client.Get(ctx, client.ServiceURL("instances", id), &answer, nil)
		return err == nil && answer.Instance.Status == "ACTIVE", err
	})
	return id
}

// BreakDatabase makes Trove say that an instance is in error. c is an administrator's
// session in the project of the instance.
func BreakDatabase(t testing.TB, c karbor.Cloud, id string) {
	t.Helper()
	client := service(t, c, openstack.Database)
	response, err := client.Post(t.Context(), client.ServiceURL("instances", id, "action"), map[string]any{"reset_status": map[string]any{}}, nil,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted}})
	must(t, err, "breaking database instance "+id)
	must(t, response.Body.Close(), "reading the answer")
}
