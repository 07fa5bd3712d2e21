package pod_test

import (
	"fmt"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protectable/pod"
	"github.com/karbor/karbor/protectable/protectabletest"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

var reach = kubernetes.Options{Servers: []string{"127.0.0.1"}}

func open(t *testing.T, k kubernetes.Options) protectable.Plugin {
	t.Helper()
	p, err := pod.Plugin(k).Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPluginPassesTheSuite(t *testing.T) {
	c := cloudtest.Start(t)
	alpha, beta, admin := c.Tenant("alpha", "member"), c.Tenant("beta", "member"), c.Tenant("gamma", "admin")
	mine, theirs := cloudtest.Cluster(t), cloudtest.Cluster(t)
	cloudtest.Secret(t, alpha, kubernetes.DefaultSecret, mine.Kubeconfig("alpha-token", "shop", "stock"))
	cloudtest.Secret(t, beta, kubernetes.DefaultSecret, theirs.Kubeconfig("beta-token", "default"))
	cloudtest.Secret(t, admin, kubernetes.DefaultSecret, theirs.Kubeconfig("gamma-token", "empty"))
	own := map[string]string{}
	for i := range 13 { // more than one page of the server
		name := fmt.Sprintf("web-%d", i)
		cloudtest.Pod(mine, "shop", name, "Running")
		own[kubernetes.PodID("shop", name)] = "shop:" + name
	}
	cloudtest.Pod(mine, "stock", "count", "Succeeded")
	own[kubernetes.PodID("stock", "count")] = "stock:count"
	cloudtest.Pod(mine, "shop", "broken", "Failed")
	cloudtest.Pod(mine, "hidden", "web", "Running")
	cloudtest.Pod(theirs, "default", "beta-secret-pod", "Running")
	listed := protectabletest.Sorted(karbor.PodType, own)
	protectabletest.Run(t, protectabletest.Case{
		Plugin: open(t, reach), Cloud: alpha, Other: beta, Admin: admin,
		Listed: listed, Unfit: []string{kubernetes.PodID("shop", "broken"), kubernetes.PodID("hidden", "web")},
		Foreign: protectabletest.Sorted(karbor.PodType, map[string]string{kubernetes.PodID("default", "beta-secret-pod"): "default:beta-secret-pod"}),
		Families: []protectabletest.Family{
			{Parent: karbor.Resource{Type: karbor.ProjectType, ID: alpha.ProjectID()}, Dependents: protectabletest.Shared(listed)},
		},
	})
}

func TestProjectWithoutAClusterHasNoPods(t *testing.T) {
	c := cloudtest.Start(t)
	alpha, reader := c.Tenant("alpha", "member"), c.Tenant("beta", "reader")
	for _, test := range []struct {
		cloud karbor.Cloud
		k     kubernetes.Options
		kind  karbor.Kind
	}{
		{alpha, reach, karbor.NotImplemented}, {reader, reach, karbor.Forbidden}, {alpha, kubernetes.Options{}, karbor.NotImplemented},
	} {
		p := open(t, test.k)
		got, err := p.Dependents(t.Context(), test.cloud, karbor.Resource{Type: karbor.ProjectType, ID: test.cloud.ProjectID()})
		if err != nil || len(got) > 0 {
			t.Errorf("the dependents are %v, %v", got, err)
		}
		if _, err := p.List(t.Context(), test.cloud, protectable.Query{}); err == nil || karbor.KindOf(err) != test.kind {
			t.Errorf("listing gives %v; want %v", err, test.kind)
		}
	}
}

func TestOperatorsNamespacesAreTheOnlyOnes(t *testing.T) {
	alpha := cloudtest.Start(t).Tenant("alpha", "member")
	s := cloudtest.Cluster(t)
	cloudtest.Secret(t, alpha, "own-name", s.Kubeconfig("token", "shop", "stock"))
	cloudtest.Pod(s, "shop", "web", "Running")
	cloudtest.Pod(s, "stock", "web", "Running")
	k := kubernetes.Options{Servers: []string{"127.0.0.1"}, Namespaces: []string{"stock"}, Secret: "own-name"}
	got, err := open(t, k).List(t.Context(), alpha, protectable.Query{})
	if err != nil || len(got) != 1 || got[0].Name != "stock:web" || got[0].ExtraInfo["namespace"] != "stock" {
		t.Errorf("got %v, %v", got, err)
	}
	k.Namespaces = []string{"other"}
	if _, err := open(t, k).List(t.Context(), alpha, protectable.Query{}); karbor.KindOf(err) != karbor.Forbidden {
		t.Errorf("with none allowed: %v", err)
	}
}
