package schedules

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	findvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/volumebackup"
	"github.com/karbor/karbor/protection/volumeglance"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

const providerID = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b09"

// tokenLife is how long a token of the cloud lasts.
const tokenLife = 60 * time.Second

// patience bounds what a test waits for; it never decides what is right.
const patience = 2 * time.Minute

// clock is the cloud's: the real one, put forward now and then.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// in gives the properties of a trigger that fires once, soon.
func in(d time.Duration) map[string]any {
	at := time.Now().UTC().Add(d).Truncate(time.Second)
	return map[string]any{"format": "calendar", "pattern": "BEGIN:VEVENT\nRDATE:" + at.Format("20060102T150405Z") + "\nEND:VEVENT"}
}

// site is a cloud and a service.
type site struct {
	t     *testing.T
	cloud *testcloudtest.Cloud
	clock *clock
	api   string
	token string
	// who is the user who asks, project the tenant's.
	who, project string
	// now is the service's clock.
	now func() time.Time
	// config is the service's configuration, password that of its user, and end ends it.
	config   config.Config
	password karbor.Secret
	end      func()
}

func newSite(t *testing.T) *site { return openSite(t, "karbor-volume-protection-plugin", "") }

// openSite is newSite with the plug-in that protects volumes, and with more in the
// provider's file, in which DIR is the folder of the test.
func openSite(t *testing.T, volumes, more string, edits ...func(*config.Config)) *site {
	t.Helper()
	return (&site{t: t, clock: &clock{}, now: time.Now}).open(volumes, more, edits...)
}

// open starts the cloud and the service of a site.
func (s *site) open(volumes, more string, edits ...func(*config.Config)) *site {
	t := s.t
	t.Helper()
	s.cloud = testcloudtest.Start(t, func(o *testcloud.Options) { o.Now, o.TokenTTL = s.clock.now, tokenLife })
	user, _ := s.cloud.User("karbor")
	demo, _ := s.cloud.User("demo")
	s.who, s.project = demo.Name, demo.ProjectID
	s.serve(s.cloud.URL(), "", user.Password, volumes, more, edits...)
	s.login()
	return s
}

// serve starts the service beside a cloud.
func (s *site) serve(keystone, region, password, volumes, more string, edits ...func(*config.Config)) {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	c := config.Default()
	c.State, c.Providers, c.Policy.Folder, c.Listen = filepath.Join(dir, "state"), filepath.Join(dir, "providers.d"), dir, "127.0.0.1:0"
	c.Keystone.Region = cmp.Or(region, c.Keystone.Region)
	c.Keystone.AuthURL, c.Triggers.MinInterval, c.API.ShutdownDelay, c.API.AccessLog = keystone, time.Minute, 0, false
	for _, edit := range edits {
		edit(&c)
	}
	file := fmt.Sprintf("id: %s\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: %s/bank}}\nplugins:\n"+
		"  - {plugin: %s, options: {poll_interval: 50ms}}\n", providerID, dir, volumes) + strings.ReplaceAll(more, "DIR", dir)
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Providers, "bank.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	storetest.NewFile(t, c.DatabaseLocation())
	s.config, s.password, s.end = c, karbor.Secret(password), func() {}
	t.Cleanup(func() { s.end() })
	s.start()
}

// start starts the service with the site's configuration.
func (s *site) start() {
	t := s.t
	t.Helper()
	d, err := daemon.Open(t.Context(), daemon.Options{
		Config: s.config, Password: s.password, Now: s.now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Sets: provider.Sets{
			Banks:       plugin.Set[bank.Bank]{filebank.Plugin},
			Protections: plugin.Set[protection.Plugin]{volumebackup.Plugin, volumeglance.Plugin, volumesnapshot.Plugin},
		},
		Protectables: plugin.Set[protectable.Plugin]{findvolume.Plugin},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.api = "http://" + d.Address().String()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- d.Run(ctx, func() { close(ready) }) }()
	s.end = func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.end = func() {}
	}
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the service has ended before it was ready: %v", err)
	}
}

// login gets a new token of who asks.
func (s *site) login() {
	s.t.Helper()
	s.token = s.cloud.Client(s.t, s.who).Token()
}

// call sends a request as the tenant, and gives the answer.
func (s *site) call(method, path string, body any) map[string]any {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.api+"/v1/"+s.project+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("OpenStack-API-Version", "data-protect 1.5")
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %s, %v: %s", method, path, resp.Status, err, answer)
	}
	out := map[string]any{}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

// made gives the id of a thing in an answer.
func made(answer map[string]any, key string) string {
	thing, _ := answer[key].(map[string]any)
	id, _ := thing["id"].(string)
	return id
}

// until waits until a run that was expected after a time is in a state, and gives the
// checkpoint that it has made.
func (s *site) until(id string, after time.Time, state string) string {
	s.t.Helper()
	var last []any
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		last, _ = s.call("GET", "/scheduled_operations/"+id+"/runs", nil)["runs"].([]any)
		for _, r := range last {
			run, _ := r.(map[string]any)
			expected, _ := run["expected_at"].(string)
			if at, err := time.Parse(time.RFC3339, expected); err == nil && at.After(after) && run["state"] == state {
				checkpoint, _ := run["checkpoint_id"].(string)
				return checkpoint
			}
		}
	}
	s.t.Fatalf("runs are %v, want one after %s with %s", last, after, state)
	return ""
}

// plan makes a plan of a new volume of the tenant.
func (s *site) plan() string {
	s.t.Helper()
	volumes := s.cloud.Volumes(s.t, "demo")
	var created struct{ Volume struct{ ID string } }
	_, err := volumes.Post(s.t.Context(), volumes.ServiceURL("volumes"), map[string]any{"volume": map[string]any{"size": 1, "name": "data"}},
		&created, &gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted}})
	if err != nil {
		s.t.Fatal(err)
	}
	return made(s.call("POST", "/plans", map[string]any{"plan": map[string]any{
		"name": "p", "provider_id": providerID, "parameters": map[string]any{},
		"resources": []any{map[string]any{"type": "OS::Cinder::Volume", "id": created.Volume.ID, "name": "data"}},
	}}), "plan")
}

func TestASchedulesRunsGoOnWhenTheUsersTokenIsGone(t *testing.T) {
	s := newSite(t)
	plan := s.plan()
	trigger := made(s.call("POST", "/triggers", map[string]any{"trigger_info": map[string]any{
		"name": "t", "type": "time", "properties": in(time.Hour),
	}}), "trigger_info")
	id := made(s.call("POST", "/scheduled_operations", map[string]any{"scheduled_operation": map[string]any{
		"name": "o", "operation_type": "retention_protect", "trigger_id": trigger,
		"operation_definition": map[string]any{"plan_id": plan, "provider_id": providerID, "max_backups": 2},
	}}), "scheduled_operation")
	var checkpoints []string
	for range 3 {
		// The user's token, and each that the service has got by then, have ended.
		s.clock.ahead.Add(int64(2 * tokenLife))
		s.login()
		from := time.Now()
		s.call("PUT", "/triggers/"+trigger, map[string]any{"trigger_info": map[string]any{"properties": in(2 * time.Second)}})
		// And that with which this was asked for.
		s.clock.ahead.Add(int64(2 * tokenLife))
		s.login()
		checkpoints = append(checkpoints, s.until(id, from, "success"))
	}
	log := s.call("GET", "/operation_logs?checkpoint_id="+checkpoints[2], nil)
	if text, _ := json.Marshal(log); !strings.Contains(string(text), id) {
		t.Errorf("the operation log does not name its scheduled operation: %s", text)
	}
	checkpoint, _ := s.call("GET", "/providers/"+providerID+"/checkpoints/"+checkpoints[2], nil)["checkpoint"].(map[string]any)
	info := fmt.Sprint(checkpoint["extra_info"])
	for _, want := range []string{"operation-engine", trigger, id} {
		if !strings.Contains(info, want) {
			t.Errorf("the checkpoint's extra_info is %s, without %s", info, want)
		}
	}
	// Of three or more, two stay.
	kept := 0
	for end := time.Now().Add(patience); time.Now().Before(end) && kept != 2; time.Sleep(50 * time.Millisecond) {
		list, _ := s.call("GET", "/providers/"+providerID+"/checkpoints?plan_id="+plan, nil)["checkpoints"].([]any)
		if kept = len(list); kept < 2 {
			break
		}
	}
	if kept != 2 {
		t.Errorf("%d checkpoints are kept", kept)
	}
	s.call("DELETE", "/scheduled_operations/"+id, nil)
}
