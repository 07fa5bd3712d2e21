package protectiontest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
)

// cloudVariable names a real cloud to run against in place of the test cloud:
// the address of its Keystone, a user, his password and his project, with commas
// between them. The project should be empty.
const cloudVariable = "KARBOR_TEST_CLOUD"

// otherVariable names a tenant of another project of the same cloud likewise.
const otherVariable = "KARBOR_TEST_CLOUD_OTHER"

// Tenant is a user in a project of a cloud, who makes and looks at resources.
type Tenant struct {
	authURL, user, password, project string
	// Cloud is a session of his own.
	Cloud karbor.Cloud
	// VolumeType is that of the volumes that tests make for him; "" is the cloud's default.
	VolumeType string
	admin      [3]string
	// faults are the test cloud's rules; nil in a real cloud.
	faults *fabric.Faults
}

// Fault makes the test cloud go wrong by a rule until the test ends. It is for clouds
// of the test's own.
func (n *Tenant) Fault(t *testing.T, fault fabric.Fault) {
	t.Helper()
	if n.faults == nil {
		t.Skip("a real cloud can't be told what shall go wrong")
	}
	id, err := n.faults.Add(fault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.faults.Remove(id) })
}

// SmallVolumes has a test cloud's volumes have 4 MiB for each GiB: what is tested with them takes a
// moment. A test of whole GiB shows that they make no difference.
func SmallVolumes(o *testcloud.Options) { o.VolumeGiB = 4 << 20 }

// NewTenant starts a test cloud for the test, with its options edited, and gives its first tenant; or
// the tenant of the cloud that the environment names.
func NewTenant(t *testing.T, edits ...func(*testcloud.Options)) *Tenant {
	t.Helper()
	tenant := &Tenant{}
	if given := strings.Split(os.Getenv(cloudVariable), ","); len(given) == 4 {
		tenant.authURL, tenant.user, tenant.password, tenant.project = given[0], given[1], given[2], given[3]
		tenant.admin = [3]string{"admin", given[2], "admin"}
	} else {
		o := testcloud.Options{Dir: t.TempDir(), Timing: fabric.Timing{Change: -1}, Now: time.Now}
		for _, edit := range edits {
			edit(&o)
		}
		cloud, err := testcloud.Start(t.Context(), o)
		if err != nil {
			t.Fatalf("starting the test cloud: %v", err)
		}
		t.Cleanup(func() {
			if err := cloud.Close(); err != nil {
				t.Errorf("closing the test cloud: %v", err)
			}
		})
		u, _ := cloud.User("demo")
		a, _ := cloud.User("admin")
		tenant.authURL, tenant.user, tenant.password, tenant.project = cloud.URL(), u.Name, u.Password, u.ProjectName
		tenant.admin = [3]string{a.Name, a.Password, a.ProjectName}
		tenant.faults = cloud.Faults()
	}
	tenant.Cloud = tenant.Session(t, http.DefaultClient)
	return tenant
}

// RealTenant gives the tenant of the cloud that the environment names, which must name
// one.
func RealTenant(t *testing.T) *Tenant {
	t.Helper()
	if os.Getenv(cloudVariable) == "" {
		t.Fatal(cloudVariable + " names no cloud")
	}
	return NewTenant(t)
}

// OtherTenant gives a tenant of another project of the same cloud, which the environment must
// name, too.
func OtherTenant(t *testing.T) *Tenant {
	t.Helper()
	given := strings.Split(os.Getenv(otherVariable), ",")
	if len(given) != 4 {
		t.Fatal(otherVariable + " names no tenant")
	}
	n := &Tenant{authURL: given[0], user: given[1], password: given[2], project: given[3]}
	n.Cloud = n.Session(t, http.DefaultClient)
	return n
}

// Afterwards cleans up after the test, in a cloud that outlives it.
func (n *Tenant) Afterwards(t *testing.T, clean func()) {
	t.Helper()
	if n.faults == nil {
		t.Cleanup(clean)
	}
}

// Through gives the same tenant with a session whose requests go through client.
func (n *Tenant) Through(t *testing.T, client *http.Client) *Tenant {
	t.Helper()
	other := *n
	other.Cloud = n.Session(t, client)
	return &other
}

// Session opens a session of the tenant's through client.
func (n *Tenant) Session(t *testing.T, client *http.Client) karbor.Cloud {
	t.Helper()
	return n.open(t, client, n.user, n.password, n.project)
}

// Admin opens a session of an administrator through client.
func (n *Tenant) Admin(t *testing.T, client *http.Client) karbor.Cloud {
	t.Helper()
	return n.open(t, client, n.admin[0], n.admin[1], n.admin[2])
}

func (n *Tenant) open(t *testing.T, client *http.Client, user, password, project string) karbor.Cloud {
	t.Helper()
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: n.authURL, Username: user, Password: karbor.Secret(password), Project: project, HTTP: client, Now: time.Now,
	})
	if err != nil {
		t.Fatalf("opening a session: %v", err)
	}
	cloud := authority.Service()
	// Fetch the token and the services' versions now, so that only the hooks'
	// own calls are counted. It also makes the project's id known.
	for _, service := range []string{"compute", "volume", "image", "network"} {
		connect(t, cloud, service)
	}
	return cloud
}

func connect(t *testing.T, cloud karbor.Cloud, service string) *gophercloud.ServiceClient {
	t.Helper()
	open := map[string]func(context.Context, karbor.Cloud) (*gophercloud.ServiceClient, error){
		"compute": openstack.Compute, "volume": openstack.BlockStorage, "image": openstack.Image, "network": openstack.Network,
		"rewriting": func(ctx context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
			return openstack.BlockStorageFrom(ctx, c, "3.68")
		},
		"share": openstack.SharedFileSystems, "key": openstack.KeyManager, "database": openstack.Database,
	}[service]
	// Cleaning up happens when the test's own context has ended.
	client, err := open(context.WithoutCancel(t.Context()), cloud)
	if err != nil {
		t.Fatalf("connecting to the service %s: %v", service, err)
	}
	return client
}

// Do sends a request to a service ("compute", "volume", "image", "network", "share", "key", "database", and
// "rewriting" for volumes of a cloud that can overwrite them) and gives the answer. A refusal ends the test.
func (n *Tenant) Do(t *testing.T, service, method, path string, body any) map[string]any {
	t.Helper()
	answer, err := n.try(t, service, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, openstack.Explain(err, "asking the service %s", service))
	}
	return answer
}

func (n *Tenant) try(t *testing.T, service, method, path string, body any) (map[string]any, error) {
	t.Helper()
	client := connect(t, n.Cloud, service)
	options := &gophercloud.RequestOpts{KeepResponseBody: true, OkCodes: []int{200, 201, 202, 203, 204}, MoreHeaders: map[string]string{}}
	switch b := body.(type) {
	case nil:
		if strings.HasSuffix(path, "/payload") { // a secret's bytes
			options.MoreHeaders["Accept"] = "application/octet-stream"
		}
	case []byte:
		options.RawBody = bytes.NewReader(b)
		options.MoreHeaders["Content-Type"] = "application/octet-stream"
	default:
		options.JSONBody = b
	}
	// Cleaning up happens when the test's own context has ended.
	response, err := client.Request(context.WithoutCancel(t.Context()), method, client.ServiceURL(path), options)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{}
	if len(text) > 0 && json.Unmarshal(text, &answer) != nil {
		answer["text"] = string(text)
	}
	return answer, nil
}

// Make makes a resource, and gives what the service answers within member.
func (n *Tenant) Make(t *testing.T, service, path, member string, body map[string]any) map[string]any {
	t.Helper()
	request := any(map[string]any{member: body})
	if service == "image" {
		request = body
	}
	answer := n.Do(t, service, http.MethodPost, path, request)
	if service == "image" {
		return answer
	}
	made, _ := answer[member].(map[string]any)
	return made
}

// Show reads a resource; nil if it is not there.
func (n *Tenant) Show(t *testing.T, service, path, member string) map[string]any {
	t.Helper()
	answer, err := n.try(t, service, http.MethodGet, path, nil)
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	if member == "" {
		return answer
	}
	shown, _ := answer[member].(map[string]any)
	return shown
}

// Await waits until a resource's member has a value; "" waits until it is gone.
func (n *Tenant) Await(t *testing.T, service, path, member, want string) {
	t.Helper()
	for range 3000 {
		shown := n.Show(t, service, path, member)
		if shown == nil && want == "" {
			return
		}
		if state, _ := shown["status"].(string); shown != nil && state == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not come into state %q", path, want)
}

// Remove deletes a resource and waits until it is gone.
func (n *Tenant) Remove(t *testing.T, service, path, member string) {
	t.Helper()
	for range 500 {
		_, err := n.try(t, service, http.MethodDelete, path, nil)
		if err == nil || openstack.IsNotFound(err) {
			n.Await(t, service, path, member, "")
			return
		}
		// A volume, say, may be in transition.
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s can't be deleted", path)
}

// lists says where the inventory looks.
var lists = []struct{ service, path, member string }{
	{"volume", "volumes/detail", "volumes"}, {"volume", "snapshots/detail", "snapshots"}, {"volume", "backups/detail", "backups"},
	{"image", "images", "images"}, {"image", "images?os_hidden=true", "images"}, {"compute", "servers/detail", "servers"}, {"compute", "os-keypairs", "keypairs"},
	{"share", "shares/detail", "shares"}, {"share", "snapshots/detail", "snapshots"},
	{"key", "secrets?limit=100", "secrets"},
	{"network", "networks", "networks"}, {"network", "subnets", "subnets"}, {"network", "routers", "routers"},
	{"network", "ports", "ports"}, {"network", "security-groups", "security_groups"}, {"network", "floatingips", "floatingips"},
}

// absent gives the services that the cloud does not have, or that the tenant may not use.
func (n *Tenant) absent(t *testing.T) map[string]bool {
	t.Helper()
	_, err := openstack.SharedFileSystems(context.WithoutCancel(t.Context()), n.Cloud)
	absent := map[string]bool{"share": karbor.KindOf(err) == karbor.NotImplemented, "key": true}
	if _, err := openstack.KeyManager(context.WithoutCancel(t.Context()), n.Cloud); err == nil {
		_, err := n.try(t, "key", http.MethodGet, "secrets?limit=1", nil)
		absent["key"] = karbor.KindOf(openstack.Explain(err, "listing the secrets")) == karbor.Forbidden
	}
	return absent
}

// Inventory lists all that the project has, a line for each thing.
func (n *Tenant) Inventory(t *testing.T) []string {
	t.Helper()
	var lines []string
	absent := n.absent(t)
	for _, l := range lists {
		if absent[l.service] {
			continue
		}
		answer := n.Do(t, l.service, http.MethodGet, l.path, nil)
		things, _ := answer[l.member].([]any)
		for _, thing := range things {
			if line := n.line(l.member, thing); line != "" {
				lines = append(lines, line)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func (n *Tenant) line(kind string, thing any) string {
	members, _ := thing.(map[string]any)
	if pair, ok := members["keypair"].(map[string]any); ok {
		return fmt.Sprintf("%s %v", kind, pair["name"])
	}
	for _, owner := range []string{"owner", "project_id", "tenant_id"} {
		if id, ok := members[owner].(string); ok && id != "" && id != n.Cloud.ProjectID() {
			return ""
		}
	}
	line := fmt.Sprintf("%s %v %v", kind, cmp.Or(members["id"], members["secret_ref"]), members["name"])
	if rules, ok := members["security_group_rules"].([]any); ok {
		line += fmt.Sprintf(", %d rules", len(rules))
	}
	if routes, ok := members["routes"].([]any); ok && len(routes) > 0 {
		line += fmt.Sprintf(", %d routes", len(routes))
	}
	if port, ok := members["port_id"].(string); ok {
		line += ", at port " + port
	}
	text, err := json.Marshal(thing)
	if err == nil && unfinished(string(text)) {
		line += ", " + protection.RestoringTag
	}
	if err == nil && strings.Contains(string(text), protection.TemporaryTag) {
		line += ", " + protection.TemporaryTag
	}
	if owner, _ := members["device_owner"].(string); strings.HasPrefix(owner, "network:router") {
		line += ofRouter
	}
	return line
}
