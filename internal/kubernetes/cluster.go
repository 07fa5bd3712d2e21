// Package kubernetes reaches a tenant's own Kubernetes cluster, with the kubeconfig that
// he keeps as a secret in his project's key manager. The kubeconfig, and the cluster
// behind it, are hostile input: nothing is run or read from the disk for it, requests go
// only to servers that the operator lists, redirects are refused, and answers have a
// bound. It knows pods, and the Cinder volumes that they use. Source: the Kubernetes API
// (core/v1), through client-go's dynamic client, which keeps members that are newer than
// it.
package kubernetes

import (
	"context"
	"io"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// DefaultSecret is the name of the secret that holds a tenant's kubeconfig.
const DefaultSecret = "karbor-kubeconfig"

// Options say which clusters are reached.
type Options struct {
	// Servers are the host names, domains (*.cloud.example), addresses and networks that
	// API servers may be at. What is not public must be listed as an address or a network.
	// Without any no cluster is reached.
	Servers []string
	// Namespaces are those that pods may be protected in and restored into; empty for all
	// that a tenant's kubeconfig names.
	Namespaces []string
	// Secret is the name of the secret with the kubeconfig; "" is DefaultSecret.
	Secret string
	// Timeout limits one request to a cluster; 0 is 30 s.
	Timeout time.Duration
	// Transport is the way to all clusters; nil is one that goes to Servers only.
	Transport http.RoundTripper
}

// Clusters gives tenants' clusters. It is safe for concurrent use.
type Clusters struct {
	options Options
	reach   *openstack.Reach
}

// New checks the options. The error is karbor.Invalid and names what is wrong.
func New(o Options) (*Clusters, error) {
	reach, err := openstack.NewReach(nil, o.Servers)
	if err != nil {
		return nil, err
	}
	for _, n := range o.Namespaces {
		if !IsNamespace(n) {
			return nil, karbor.Errorf(karbor.Invalid, "%q can't be a namespace", n)
		}
	}
	if o.Secret == "" {
		o.Secret = DefaultSecret
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return &Clusters{options: o, reach: reach}, nil
}

// Cluster is one tenant's cluster. It is safe for concurrent use.
type Cluster struct {
	client dynamic.Interface
	// Namespaces are those in which pods are looked for, in order.
	Namespaces []string
	// walks is how long a walk through lists may take.
	walks time.Duration
}

// Connect reaches the cluster of the session's project. The error is
// karbor.NotImplemented where no clusters are reached, and if the project has no
// kubeconfig.
func (c *Clusters) Connect(ctx context.Context, cloud karbor.Cloud) (*Cluster, error) {
	if len(c.options.Servers) == 0 {
		return nil, karbor.Errorf(karbor.NotImplemented, "this service reaches no Kubernetes clusters: its operator has listed none (kubernetes.servers)")
	}
	text, err := c.kubeconfig(ctx, cloud)
	if err != nil {
		return nil, err
	}
	a, err := parse(text)
	if err != nil {
		return nil, err
	}
	return c.open(a)
}

// Known reports whether the session's project has a kubeconfig. One whose user may keep no
// secrets has none.
func (c *Clusters) Known(ctx context.Context, cloud karbor.Cloud) (bool, error) {
	if len(c.options.Servers) == 0 {
		return false, nil
	}
	client, err := openstack.KeyManager(ctx, cloud)
	if err == nil {
		_, err = c.newest(ctx, client)
	}
	if kind := karbor.KindOf(err); err != nil && (kind == karbor.NotImplemented || kind == karbor.Forbidden) {
		return false, nil
	}
	return err == nil, err
}

// kubeconfig reads the tenant's secret.
func (c *Clusters) kubeconfig(ctx context.Context, cloud karbor.Cloud) ([]byte, error) {
	client, err := openstack.KeyManager(ctx, cloud)
	if err != nil {
		return nil, err
	}
	newest, err := c.newest(ctx, client)
	if err != nil {
		return nil, err
	}
	payload := secrets.GetPayload(ctx, client, path.Base(newest.SecretRef), secrets.GetPayloadOpts{PayloadContentType: newest.ContentTypes["default"]})
	if payload.Err != nil {
		return nil, openstack.Explain(payload.Err, "reading the secret %s", c.options.Secret)
	}
	defer func() { _ = payload.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(payload.Body, maxKubeconfig+1))
	return body, openstack.Explain(err, "reading the secret %s", c.options.Secret)
}

// newest gives the newest secret of the name; karbor.NotImplemented if there is none.
func (c *Clusters) newest(ctx context.Context, client *gophercloud.ServiceClient) (*secrets.Secret, error) {
	all, err := openstack.AllPages(ctx, secrets.List(client, secrets.ListOpts{Name: c.options.Secret, Limit: 100}), secrets.ExtractSecrets)
	if err != nil {
		return nil, openstack.Explain(err, "looking for the secret %s", c.options.Secret)
	}
	all = slices.DeleteFunc(all, func(s secrets.Secret) bool { return s.Name != c.options.Secret || s.Status != "ACTIVE" })
	if len(all) == 0 {
		return nil, karbor.Errorf(karbor.NotImplemented, "the project has no secret %s with the kubeconfig of its cluster", c.options.Secret)
	}
	newest := slices.MaxFunc(all, func(a, b secrets.Secret) int { return a.Created.Compare(b.Created) })
	return &newest, nil
}

// open makes the client.
func (c *Clusters) open(a *access) (*Cluster, error) {
	way := c.options.Transport
	if way == nil {
		// Connections are not kept: nobody would close them.
		way = c.reach.Guard(&http.Transport{TLSClientConfig: a.tls, DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: c.options.Timeout, MaxResponseHeaderBytes: 64 << 10})
	}
	client := &http.Client{
		Transport:     &bounded{way: way, access: a},
		Timeout:       c.options.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
	d, err := dynamic.NewForConfigAndClient(&rest.Config{Host: a.server.String(), QPS: 50, Burst: 100, UserAgent: "karbor"}, client)
	if err != nil {
		return nil, refused("no client can be made for it")
	}
	k := &Cluster{client: d, walks: longestWalk}
	for _, n := range a.namespaces {
		if len(c.options.Namespaces) == 0 || slices.Contains(c.options.Namespaces, n) {
			k.Namespaces = append(k.Namespaces, n)
		}
	}
	if len(k.Namespaces) == 0 {
		return nil, karbor.Errorf(karbor.Forbidden, "the operator of this service allows none of the namespaces that the kubeconfig names")
	}
	return k, nil
}

// maxAnswer is the largest answer of a cluster that is read, in bytes.
const maxAnswer = 8 << 20

var (
	errRedirect = &karbor.Error{Kind: karbor.Forbidden, Message: "the cluster redirects elsewhere, which is not followed"}
	errTooLarge = &karbor.Error{Kind: karbor.Unavailable, Message: "the cluster's answer is too large"}
)

// bounded adds the credentials to requests, and bounds the answers.
type bounded struct {
	way    http.RoundTripper
	access *access
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case b.access.token != "":
		r.Header.Set("Authorization", "Bearer "+b.access.token.Reveal())
	case b.access.username != "":
		r.SetBasicAuth(b.access.username, b.access.password.Reveal())
	}
	response, err := b.way.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body := &boundedBody{ReadCloser: response.Body, left: maxAnswer}
	if w, _ := r.Context().Value(walkKey{}).(*walk); w != nil {
		body.walk = w
	}
	response.Body = body
	return response, nil
}

type boundedBody struct {
	io.ReadCloser
	left int64
	// walk is what the answer is a part of; nil if it stands alone.
	walk *walk
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	left := b.left
	if b.walk != nil {
		left = min(left, b.walk.bytes)
	}
	if left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), left)])
	b.left -= int64(n)
	if b.walk != nil {
		b.walk.bytes -= int64(n)
	}
	return n, err
}

// The resources of the API that are used.
var (
	pods    = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	claims  = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	volumes = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
)
