package cloudtest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/kubernetes"
	"github.com/karbor/karbor/internal/testcloud/kubernetes/apiserver"
)

// Kubernetes is a cluster for a test: the simulated one, or a real one (see Cluster).
// Paths are as in the API, such as "namespaces/shop/pods/web".
type Kubernetes interface {
	Putter
	// Get gives an object; nil if it is not there.
	Get(path string) map[string]any
	// Remove removes an object, and waits until it is gone. Remove pods first, then
	// claims, then persistent volumes.
	Remove(path string)
	// Inventory gives the paths of all pods, claims and persistent volumes, in order.
	Inventory() []string
	// Kubeconfig lets a token into namespaces and gives the kubeconfig that has it, with a
	// context for each. A real cluster knows the tokens of these tests only.
	Kubeconfig(token string, namespaces ...string) string
	// Ends has pods of a name come into a phase in place of Running: Failed, or Pending
	// for ever.
	Ends(name, phase string)
	// Transport is the way to the cluster, and to any other place.
	Transport() http.RoundTripper
}

// programs is the environment variable that names the folder of a real cluster's programs.
const programs = "KARBOR_KUBERNETES"

// RealCluster reports whether Cluster gives a real one.
func RealCluster() bool { return os.Getenv(programs) != "" }

// started is the real cluster, if a test has asked for it.
var started *apiserver.Server

// server starts the real cluster, once for all tests of a package.
var server = sync.OnceValues(func() (*apiserver.Server, error) {
	var err error
	started, err = apiserver.Start(context.Background(), apiserver.Options{
		Programs: os.Getenv(programs), Now: time.Now,
		Tokens: []string{"token", "the-tenant-s-token", "alpha-token", "beta-token", "gamma-token"},
	})
	return started, err
})

// Main runs the tests of a package, and ends the real cluster if they have started it. It
// is called by TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if started != nil {
		started.Close()
	}
	return code
}

// Cluster gives an empty cluster: the simulated one, or, where the environment variable
// KARBOR_KUBERNETES names the folder of its programs, a real one, which the tests of a
// package share. The package's TestMain calls Main then.
func Cluster(t testing.TB) Kubernetes {
	t.Helper()
	if !RealCluster() {
		s := kubernetes.Start()
		t.Cleanup(s.Close)
		return simulated{s}
	}
	s, err := server()
	if errors.Is(err, apiserver.ErrNoEtcd) {
		t.Skip(err)
	}
	must(t, err, "starting Kubernetes")
	r := genuine{t, s, context.WithoutCancel(t.Context())}
	t.Cleanup(func() { must(t, s.Clear(r.ctx), "clearing the cluster") })
	return r
}

type simulated struct{ *kubernetes.Server }

// Transport implements Kubernetes.
func (s simulated) Transport() http.RoundTripper { return s.Client().Transport }

// genuine is a real cluster, whose errors end the test.
type genuine struct {
	t   testing.TB
	s   *apiserver.Server
	ctx context.Context //nolint:containedctx // the test's, for methods that have none
}

// Put implements Kubernetes.
func (r genuine) Put(path string, o map[string]any) {
	r.t.Helper()
	must(r.t, r.s.Put(r.ctx, path, o), "putting "+path)
}

// Get implements Kubernetes.
func (r genuine) Get(path string) map[string]any {
	r.t.Helper()
	o, err := r.s.Get(r.ctx, path)
	must(r.t, err, "getting "+path)
	return o
}

// Remove implements Kubernetes.
func (r genuine) Remove(path string) {
	r.t.Helper()
	must(r.t, r.s.Remove(r.ctx, path), "removing "+path)
}

// Inventory implements Kubernetes.
func (r genuine) Inventory() []string {
	r.t.Helper()
	all, err := r.s.Inventory(r.ctx)
	must(r.t, err, "listing what is in the cluster")
	return all
}

// Kubeconfig implements Kubernetes.
func (r genuine) Kubeconfig(token string, namespaces ...string) string {
	r.t.Helper()
	text, err := r.s.Kubeconfig(r.ctx, token, namespaces...)
	must(r.t, err, "making a kubeconfig")
	return text
}

// Ends implements Kubernetes.
func (r genuine) Ends(name, phase string) { r.s.Ends(name, phase) }

// Transport implements Kubernetes.
func (r genuine) Transport() http.RoundTripper { return r.s.Transport() }
