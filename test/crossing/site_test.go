package crossing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	foundimage "github.com/karbor/karbor/protectable/image"
	foundnetwork "github.com/karbor/karbor/protectable/network"
	foundproject "github.com/karbor/karbor/protectable/project"
	foundserver "github.com/karbor/karbor/protectable/server"
	foundshare "github.com/karbor/karbor/protectable/share"
	foundvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/server"
	guardedshare "github.com/karbor/karbor/protection/share"
	"github.com/karbor/karbor/protection/volumeglance"
)

const providerID = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b05"

// patience bounds what a test waits for; it never decides what is right.
const patience = 10 * time.Minute

// place is a cloud: a simulated one of the test's own, or a real one.
type place interface {
	// URL is the address of its Keystone.
	URL() string
	// User gives a user by the name that the simulated cloud has for one of that part.
	User(name string) (testcloud.User, bool)
}

// account is a user's way into one cloud.
type account struct {
	t       *testing.T
	cloud   place
	session karbor.Cloud
	// Name, Password and ID are his; Project is that of his roles.
	name, password, id, project string
}

func login(t *testing.T, cloud place, name string) *account {
	t.Helper()
	u, ok := cloud.User(name)
	if !ok {
		t.Fatalf("there is no user %s", name)
	}
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: cloud.URL(), Username: u.Name, Password: karbor.Secret(u.Password), Project: u.ProjectName, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &account{t: t, cloud: cloud, session: authority.Service(), name: u.Name, password: u.Password, id: u.ID, project: u.ProjectName}
	a.do(openstack.Image, "GET", "images", nil) // makes the ids known
	return a
}

// service opens one of the cloud's services.
type service func(context.Context, karbor.Cloud) (*gophercloud.ServiceClient, error)

// identity is Keystone at a URL, as a service of do.
func identity(url string) service {
	return func(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
		other, err := openstack.Network(ctx, c)
		if err != nil {
			return nil, err
		}
		return &gophercloud.ServiceClient{ProviderClient: other.ProviderClient, Endpoint: url + "/", Type: "identity"}, nil
	}
}

// do sends a request to a service, and gives the answer.
func (a *account) do(s service, method, path string, body any) map[string]any {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context()) // what a test made goes when it is over
	client, err := s(ctx, a.session)
	if err != nil {
		a.t.Fatal(err)
	}
	options := &gophercloud.RequestOpts{KeepResponseBody: true, OkCodes: []int{200, 201, 202, 204}, MoreHeaders: map[string]string{}}
	if text, raw := body.(string); raw {
		options.RawBody, options.MoreHeaders["Content-Type"] = strings.NewReader(text), "application/octet-stream"
	} else if body != nil {
		options.JSONBody = body
	} else if strings.HasSuffix(path, "/payload") { // a secret's bytes
		options.MoreHeaders["Accept"] = "application/octet-stream"
	}
	response, err := client.Request(ctx, method, client.ServiceURL(path), options)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, openstack.Explain(err, "asking the cloud"))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	answer := map[string]any{}
	if json.Unmarshal(text, &answer) != nil {
		answer["text"] = string(text)
	}
	return answer
}

// made makes a thing and gives its id.
func (a *account) made(s service, path, member string, body map[string]any) string {
	a.t.Helper()
	request := any(map[string]any{member: body})
	if member == "" {
		request = body
	}
	answer := a.do(s, "POST", path, request)
	if inner, ok := answer[member].(map[string]any); ok {
		answer = inner
	}
	id, _ := answer["id"].(string)
	return id
}

// await waits until what a path shows has a status.
func (a *account) await(s service, path, member, want string) {
	a.t.Helper()
	until(a.t, path+" to become "+want, func() bool {
		shown, _ := a.do(s, "GET", path, nil)[member].(map[string]any)
		return shown["status"] == want
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(pause) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// shop is a server with a disk of its own, on a network, and with a volume if that is
// wanted: a volume has a GiB at least, which takes its time.
type shop struct{ server, network string }

const bytesOfDisk, bytesOfVolume = "the disk of the shop", "what the shop has sold"

func (a *account) shop(withVolume bool) shop {
	a.t.Helper()
	var s shop
	disk := a.upload("shop-disk", bytesOfDisk)
	s.network = a.made(openstack.Network, "networks", "network", map[string]any{"name": "shop-net"})
	a.made(openstack.Network, "subnets", "subnet", map[string]any{"network_id": s.network, "ip_version": 4, "cidr": "192.168.77.0/24"})
	s.server = a.made(openstack.Compute, "servers", "server", map[string]any{
		"name": "shop", "flavorRef": "1", "imageRef": disk, "networks": []any{map[string]any{"uuid": s.network}}})
	a.await(openstack.Compute, "servers/"+s.server, "server", "ACTIVE")
	if !withVolume {
		return s
	}
	volume := a.made(openstack.BlockStorage, "volumes", "volume", map[string]any{"name": "sold", "size": 1, "imageRef": a.upload("sold", bytesOfVolume)})
	a.await(openstack.BlockStorage, "volumes/"+volume, "volume", "available")
	a.attach(s.server, volume)
	return s
}

// upload makes an image of a text, a thousand times.
func (a *account) upload(name, bytes string) string {
	a.t.Helper()
	id := a.made(openstack.Image, "images", "", map[string]any{"name": name, "disk_format": "raw", "container_format": "bare"})
	a.do(openstack.Image, "PUT", "images/"+id+"/file", strings.Repeat(bytes, 1000))
	return id
}

// karbord is the whole service in this process, beside its cloud.
type karbord struct {
	t *testing.T
	// State and bank are the folders of the service's own state, and of its banks.
	state, bank string
	handler     http.Handler
}

// serve starts the service of a cloud with a bank of its own; edit may change its
// configuration.
func serve(t *testing.T, cloud place, edit func(*config.Config)) *karbord {
	t.Helper()
	return share(t, cloud, t.TempDir(), edit)
}

// share is serve with a bank in a folder that others may use, too.
func share(t *testing.T, cloud place, folder string, edit func(*config.Config)) *karbord {
	t.Helper()
	dir := t.TempDir()
	c := config.Default()
	c.State, c.Providers = filepath.Join(dir, "state"), filepath.Join(dir, "providers.d")
	c.Listen = "127.0.0.1:0"
	c.Keystone.AuthURL, c.Keystone.PasswordFile = cloud.URL(), "unused"
	if edit != nil {
		edit(&c)
	}
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		t.Fatal(err)
	}
	const quick = "- {plugin: %s, options: {poll_interval: " + pace + "}}\n"
	const folders = "bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank}}\ncopies: [{name: offsite, bank: {plugin: karbor-file-bank, options: {path: %[1]s/offsite}}}]\n"
	text := fmt.Sprintf("id: %s\nname: bank\n", providerID) + fmt.Sprintf(folders, folder) + keys(folder) + fmt.Sprintf("plugins:\n- {plugin: %s}\n"+quick+quick+quick+quick+quick,
		project.Name, server.Name, volumeglance.Name, image.Name, network.Name, guardedshare.Name)
	if err := os.WriteFile(filepath.Join(c.Providers, "bank.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	user, _ := cloud.User("karbor")
	storetest.NewFile(t, c.DatabaseLocation())
	d, err := daemon.Open(t.Context(), daemon.Options{
		Config: c, Password: karbor.Secret(user.Password), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Sets: provider.Sets{Banks: plugin.Set[bank.Bank]{filebank.Plugin}, Protections: plugin.Set[protection.Plugin]{
			server.Plugin, volumeglance.Plugin, image.Plugin, network.Plugin, project.Plugin, guardedshare.Plugin}},
		Protectables: plugin.Set[protectable.Plugin]{
			foundimage.Plugin, foundnetwork.Plugin, foundproject.Plugin, foundserver.Plugin, foundshare.Plugin, foundvolume.Plugin},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() { ended <- d.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("running the service:", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal("the service did not start:", err)
	}
	return &karbord{t, c.State, folder, d.Handler()}
}

// token logs the user in.
func (a *account) token() string {
	a.t.Helper()
	text, err := json.Marshal(map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": map[string]any{"name": a.name, "domain": map[string]any{"id": "default"}, "password": a.password}}},
		"scope":    map[string]any{"project": map[string]any{"id": a.session.ProjectID()}},
	}})
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := http.Post(a.cloud.URL()+"/auth/tokens", "application/json", bytes.NewReader(text))
	if err != nil {
		a.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		a.t.Fatalf("logging %s in: %s", a.name, response.Status)
	}
	return response.Header.Get("X-Subject-Token")
}

// answer is what a request gave.
type answer struct {
	status int
	text   string
	body   map[string]any
}

// call sends a request as a user of the service's own cloud.
func (k *karbord) call(a *account, method, path string, body any) answer {
	k.t.Helper()
	token := a.token()
	text, err := json.Marshal(body)
	if err != nil {
		k.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(k.t.Context(), method, "/v1/"+a.session.ProjectID()+path, strings.NewReader(string(text)))
	r.Header.Set("X-Auth-Token", token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("OpenStack-API-Version", "data-protect latest")
	w := httptest.NewRecorder()
	k.handler.ServeHTTP(w, r)
	out := answer{w.Code, w.Body.String(), map[string]any{}}
	_ = json.Unmarshal(w.Body.Bytes(), &out.body)
	return out
}

// member gives a member of an object of a success.
func (a answer) member(t *testing.T, object, member string) any {
	t.Helper()
	inner, ok := a.body[object].(map[string]any)
	if a.status != http.StatusOK || !ok {
		t.Fatalf("%d %s", a.status, a.text)
	}
	return inner[member]
}

func (a answer) id(t *testing.T, object string) string {
	t.Helper()
	id, _ := a.member(t, object, "id").(string)
	return id
}

// ends waits until what a path shows is in one of the states, and gives it.
func (k *karbord) ends(a *account, path, object string, states ...string) answer {
	k.t.Helper()
	var last answer
	until(k.t, path, func() bool {
		last = k.call(a, "GET", path, nil)
		state, _ := last.member(k.t, object, "status").(string)
		return slices.Contains(states, state)
	})
	return last
}

// checkpoints is the path of the provider's checkpoints.
const checkpoints = "/providers/" + providerID + "/checkpoints/"

// plan asks for a plan of a resource.
func (k *karbord) plan(a *account, kind karbor.ResourceType, id string) answer {
	k.t.Helper()
	return k.call(a, "POST", "/plans", map[string]any{"plan": map[string]any{
		"name": "mine", "provider_id": providerID, "parameters": map[string]any{},
		"resources": []any{map[string]any{"id": id, "type": kind, "name": "mine"}},
	}})
}

// checkpoint asks for one of a plan.
func (k *karbord) checkpoint(a *account, plan string) answer {
	k.t.Helper()
	return k.call(a, "POST", strings.TrimSuffix(checkpoints, "/"), map[string]any{"checkpoint": map[string]any{"plan_id": plan}})
}

// protect makes a checkpoint of a resource, and gives its id.
func (k *karbord) protect(a *account, kind karbor.ResourceType, id string) string {
	k.t.Helper()
	made := k.checkpoint(a, k.plan(a, kind, id).id(k.t, "plan")).id(k.t, "checkpoint")
	if last := k.ends(a, checkpoints+made, "checkpoint", "available", "error"); last.member(k.t, "checkpoint", "status") != "available" {
		k.t.Fatal("the checkpoint failed: ", last.text)
	}
	return made
}

// with gives a request with more members.
func with(body, more map[string]any) map[string]any {
	out := maps.Clone(body)
	maps.Copy(out, more)
	return out
}

// restore restores a checkpoint, with more members in the request.
func (k *karbord) restore(a *account, checkpoint string, more map[string]any) answer {
	k.t.Helper()
	body := map[string]any{"provider_id": providerID, "checkpoint_id": checkpoint, "parameters": map[string]any{}}
	return k.call(a, "POST", "/restores", map[string]any{"restore": with(body, more)})
}
