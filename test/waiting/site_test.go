package waiting

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	findimage "github.com/karbor/karbor/protectable/image"
	findnetwork "github.com/karbor/karbor/protectable/network"
	findproject "github.com/karbor/karbor/protectable/project"
	findserver "github.com/karbor/karbor/protectable/server"
	findvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/server"
	"github.com/karbor/karbor/protection/volumebackup"
	"github.com/karbor/karbor/protection/volumeglance"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

const providerID = "3f1d6c0e-7f57-4b3c-8a5e-2d9c8b7a6f10"

// site is a cloud and a service, with a tenant.
type site struct {
	cloud  *testcloudtest.Cloud
	karbor *client.Client
}

// newSite starts a cloud in which each state change takes a time, and a service that protects
// volumes by a plug-in of the default options.
func newSite(t testing.TB, change time.Duration, volumes string) *site {
	t.Helper()
	return newSiteOf(t, func(o *testcloud.Options) { o.Timing.Change = change }, "{plugin: "+volumes+"}")
}

// newSiteOf starts a cloud of some options, and a service with some plug-ins, as in a provider file.
func newSiteOf(t testing.TB, cloud func(*testcloud.Options), plugins string) *site {
	t.Helper()
	s := &site{cloud: testcloudtest.Start(t, cloud)}
	user, _ := s.cloud.User("karbor")
	dir := t.TempDir()
	c := config.Default()
	c.State, c.Providers, c.Policy.Folder, c.Listen = filepath.Join(dir, "state"), filepath.Join(dir, "providers.d"), dir, "127.0.0.1:0"
	c.Keystone.AuthURL, c.API.ShutdownDelay, c.API.AccessLog = s.cloud.URL(), 0, false
	file := fmt.Sprintf("id: %s\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: %s/bank}}\nplugins: [%s]\n", providerID, dir, plugins)
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Providers, "bank.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	storetest.NewFile(t, c.DatabaseLocation())
	d, err := daemon.Open(t.Context(), daemon.Options{
		Config: c, Password: karbor.Secret(user.Password), Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Sets: provider.Sets{
			Banks: plugin.Set[bank.Bank]{filebank.Plugin},
			Protections: plugin.Set[protection.Plugin]{
				project.Plugin, server.Plugin, image.Plugin, network.Plugin, volumebackup.Plugin, volumeglance.Plugin, volumesnapshot.Plugin,
			},
		},
		Protectables: plugin.Set[protectable.Plugin]{findproject.Plugin, findserver.Plugin, findimage.Plugin, findnetwork.Plugin, findvolume.Plugin},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- d.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the service has ended before it was ready: %v", err)
	}
	s.karbor = s.login(t, "http://"+d.Address().String())
	return s
}

// login gives a client of the service for the tenant.
func (s *site) login(t testing.TB, api string) *client.Client {
	t.Helper()
	demo, _ := s.cloud.User("demo")
	c, err := client.New(client.Options{
		Endpoint: api + "/v1/" + demo.ProjectID, HTTP: &http.Client{Timeout: time.Minute},
		Tokens: token(s.cloud.Client(t, "demo").Token()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// token is the only one that there is.
type token karbor.Secret

// Token implements client.Tokens.
func (t token) Token(context.Context) (karbor.Secret, error) { return karbor.Secret(t), nil }

// Renew implements client.Tokens.
func (t token) Renew(context.Context, karbor.Secret) (karbor.Secret, error) {
	return karbor.Secret(t), nil
}

// plan makes a plan of new volumes.
func (s *site) plan(t testing.TB, number int) client.Plan {
	t.Helper()
	return s.planOf(t, number, func(int) map[string]any { return nil })
}

// planOf makes a plan of new volumes, with further members of the request for each.
func (s *site) planOf(t testing.TB, number int, more func(n int) map[string]any) client.Plan {
	t.Helper()
	volumes := s.cloud.Volumes(t, "demo")
	var resources []karbor.Resource
	for n := range number {
		var made struct{ Volume struct{ ID string } }
		volume := map[string]any{"size": 1, "name": fmt.Sprint("disk-", n)}
		maps.Copy(volume, more(n))
		_, err := volumes.Post(t.Context(), volumes.ServiceURL("volumes"), map[string]any{"volume": volume},
			&made, &gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted}})
		if err != nil {
			t.Fatal(err)
		}
		resources = append(resources, karbor.Resource{Type: karbor.VolumeType, ID: made.Volume.ID, Name: fmt.Sprint("disk-", n)})
	}
	for _, r := range resources {
		testcloudtest.Await(t, "the volume "+r.ID, func() bool {
			var shown struct{ Volume struct{ Status string } }
			_, err := volumes.Get(t.Context(), volumes.ServiceURL("volumes", r.ID), &shown, nil)
			return err == nil && shown.Volume.Status == "available"
		})
	}
	plan, err := s.karbor.Plans.Create(t.Context(), client.PlanRequest{Name: "disks", ProviderID: providerID, Resources: resources, Parameters: karbor.Parameters{}})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// spread gives the time between the first and the last snapshot that there is.
func (s *site) spread(t testing.TB) time.Duration {
	t.Helper()
	page, err := snapshots.List(s.cloud.Volumes(t, "demo"), snapshots.ListOpts{}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := snapshots.ExtractSnapshots(page)
	if err != nil || len(all) == 0 {
		t.Fatalf("there are %d snapshots, %v", len(all), err)
	}
	first, last := all[0].CreatedAt, all[0].CreatedAt
	for _, one := range all {
		if one.CreatedAt.Before(first) {
			first = one.CreatedAt
		}
		if one.CreatedAt.After(last) {
			last = one.CreatedAt
		}
	}
	return last.Sub(first)
}
