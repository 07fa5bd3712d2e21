package pods

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	findpod "github.com/karbor/karbor/protectable/pod"
	findproject "github.com/karbor/karbor/protectable/project"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	findvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/pod"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

const providerID = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b19"

// patience bounds what a test waits for; it never decides what is right.
const patience = time.Minute

// site is a cloud, a service and a cluster of a tenant's.
type site struct {
	t       *testing.T
	cloud   *testcloudtest.Cloud
	cluster cloudtest.Kubernetes
	api     string
	// bankFolder is where the bank lies.
	bankFolder string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, cloud: testcloudtest.Start(t), cluster: cloudtest.Cluster(t)}
	dir := t.TempDir()
	s.bankFolder = filepath.Join(dir, "bank")
	c := config.Default()
	c.State, c.Providers, c.Policy.Folder, c.Listen = filepath.Join(dir, "state"), filepath.Join(dir, "providers.d"), dir, "127.0.0.1:0"
	c.Keystone.AuthURL, c.API.ShutdownDelay, c.API.AccessLog = s.cloud.URL(), 0, false
	c.Kubernetes.Servers = []string{"127.0.0.1"}
	file := fmt.Sprintf("id: %s\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: %s}}\nplugins:\n- plugin: karbor-project-protection-plugin\n"+
		"- {plugin: karbor-volume-snapshot-plugin, options: {poll_interval: 20ms}}\n- {plugin: karbor-pod-protection-plugin, options: {poll_interval: 20ms}}\n", providerID, s.bankFolder)
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Providers, "bank.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	user, _ := s.cloud.User("karbor")
	k := c.Kubernetes.Options()
	storetest.NewFile(t, c.DatabaseLocation())
	d, err := daemon.Open(t.Context(), daemon.Options{
		Config: c, Roles: daemon.AllRoles(), Password: karbor.Secret(user.Password), Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Sets: provider.Sets{
			Banks:       plugin.Set[bank.Bank]{filebank.Plugin},
			Protections: plugin.Set[protection.Plugin]{project.Plugin, pod.Plugin(k), volumesnapshot.Plugin},
		},
		Protectables: plugin.Set[protectable.Plugin]{findproject.Plugin, findpod.Plugin(k), findvolume.PluginWith(k)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.api = "http://" + d.Address().String()
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
	return s
}

// call sends a request as a user of the cloud's, and gives the status and the answer.
func (s *site) call(user, method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	u, _ := s.cloud.User(user)
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.api+"/v1/"+u.ProjectID+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", s.cloud.Client(s.t, user).Token())
	r.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]any{}
	_ = json.Unmarshal(answer, &out) // an error's text is looked at below
	out["text"] = string(answer)
	return response.StatusCode, out
}

// make makes something as the tenant, and gives the answer's only thing.
func (s *site) make(path, member string, body any) map[string]any {
	s.t.Helper()
	status, answer := s.call("demo", http.MethodPost, path, map[string]any{member: body})
	made, _ := answer[member].(map[string]any)
	if status >= 300 || made == nil {
		s.t.Fatalf("POST %s gives %d, %v", path, status, answer["text"])
	}
	return made
}

// until waits until a thing is in a state, and gives it.
func (s *site) until(path, member, want string) map[string]any {
	s.t.Helper()
	var shown map[string]any
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, answer := s.call("demo", http.MethodGet, path, nil)
		if shown, _ = answer[member].(map[string]any); shown["status"] == want {
			return shown
		}
		if state := fmt.Sprint(shown["status"]); strings.Contains(state, "error") || strings.Contains(state, "fail") {
			break
		}
	}
	s.t.Fatalf("%s is %v, want %s", path, shown, want)
	return nil
}

// volume makes a Cinder volume of the tenant.
func (s *site) volume() string {
	s.t.Helper()
	client := s.cloud.Volumes(s.t, "demo")
	v, err := volumes.Create(s.t.Context(), client, volumes.CreateOpts{Name: "data", Size: 1}, nil).Extract()
	if err != nil {
		s.t.Fatal(err)
	}
	testcloudtest.Await(s.t, "the volume", func() bool {
		now, err := volumes.Get(s.t.Context(), client, v.ID).Extract()
		return err == nil && now.Status == "available"
	})
	return v.ID
}

//karbor:tries protect,restore of project,pod,volumesnapshot
func TestProjectWithPodsComesBackThroughTheService(t *testing.T) {
	s := newSite(t)
	const token = "the-tenant-s-token"
	answer := s.cloud.Do(t, s.cloud.Client(t, "demo").Token(), http.MethodPost, "/key-manager/v1/secrets", map[string]any{
		"name": kubernetes.DefaultSecret, "payload": s.cluster.Kubeconfig(token, "shop"), "payload_content_type": "text/plain"})
	if answer.Status != http.StatusCreated {
		t.Fatalf("keeping the kubeconfig gives %d, %s", answer.Status, answer.Body)
	}
	original := s.volume()
	cloudtest.Pod(s.cluster, "shop", "web", "Running", original)
	demo, _ := s.cloud.User("demo")
	plan := s.make("/plans", "plan", map[string]any{"name": "all", "provider_id": providerID, "parameters": map[string]any{},
		"resources": []any{map[string]any{"type": "OS::Keystone::Project", "id": demo.ProjectID, "name": "demo"}}})
	checkpoints := "/providers/" + providerID + "/checkpoints"
	checkpoint := checkpoints + "/" + fmt.Sprint(s.make(checkpoints, "checkpoint", map[string]any{"plan_id": plan["id"]})["id"])
	shown := s.until(checkpoint, "checkpoint", "available")
	if graph := fmt.Sprint(shown["resource_graph"]); !strings.Contains(graph, kubernetes.PodID("shop", "web")) || !strings.Contains(graph, original) {
		t.Errorf("the graph is %s", graph)
	}
	s.lose()
	restore := s.make("/restores", "restore", map[string]any{"provider_id": providerID, "checkpoint_id": checkpoint[len(checkpoints)+1:], "parameters": map[string]any{}})
	s.until(fmt.Sprint("/restores/", restore["id"]), "restore", "success")
	claim := s.cluster.Get("namespaces/shop/persistentvolumeclaims/web-data-0")
	spec, _ := claim["spec"].(map[string]any)
	volume, _ := s.cluster.Get(fmt.Sprint("persistentvolumes/", spec["volumeName"]))["spec"].(map[string]any)
	csi, _ := volume["csi"].(map[string]any)
	fresh := fmt.Sprint(csi["volumeHandle"])
	now, err := volumes.Get(t.Context(), s.cloud.Volumes(t, "demo"), fresh).Extract()
	if err != nil || now.ID == original || s.cluster.Get("namespaces/shop/pods/web") == nil {
		t.Errorf("the pod's volume is %s (it was %s): %v", fresh, original, err)
	}
	s.strangersSeeNothing()
	s.nothingKeeps(token)
}

// lose removes all from the cluster, the pods first.
func (s *site) lose() {
	for _, kind := range []string{"/pods/", "/persistentvolumeclaims/", "persistentvolumes/"} {
		for _, path := range s.cluster.Inventory() {
			if strings.Contains(path, kind) {
				s.cluster.Remove(path)
			}
		}
	}
}

// strangersSeeNothing looks for the tenant's pods as another tenant.
func (s *site) strangersSeeNothing() {
	s.t.Helper()
	for _, path := range []string{"/protectables/OS::Kubernetes::Pod/instances", "/protectables/OS::Kubernetes::Pod/instances/" + kubernetes.PodID("shop", "web")} {
		if status, answer := s.call("other", http.MethodGet, path, nil); status < 400 || strings.Contains(fmt.Sprint(answer["text"]), "shop") {
			s.t.Errorf("another tenant's %s gives %d, %v", path, status, answer["text"])
		}
	}
}

// nothingKeeps looks for a secret in all that the service has written.
func (s *site) nothingKeeps(secret string) {
	s.t.Helper()
	err := filepath.WalkDir(filepath.Dir(s.bankFolder), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			s.t.Errorf("%s holds the token of the kubeconfig", path)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}
