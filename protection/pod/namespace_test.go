package pod_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestPodComesIntoAnotherNamespaceBesideTheOriginal(t *testing.T) {
	s := newSite(t)
	s.keep(t, s.Kubeconfig("token", "shop", "stage"))
	p := open(t, quick, local)
	source := s.source(t, nil)
	single := protectiontest.NewSingle(p, source)
	if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	before := len(s.Inventory())
	hooks := p.Hooks(karbor.RestoreOperation, karbor.PodType)
	call := begin(t, s, single, source, map[string]any{"restore_namespace": "stage"})
	if err := single.Run(t, hooks.Complete, call); err != nil {
		t.Fatal(err)
	}
	now := s.Get("namespaces/stage/pods/web")
	if at(now, "status", "phase") != "Running" || single.Result().ID != kubernetes.PodID("stage", "web") || len(single.Result().NotKept) > 0 {
		t.Errorf("the pod is %v, its id %s; not kept: %q", at(now, "status"), single.Result().ID, single.Result().NotKept)
	}
	for _, claim := range []string{"csi", "tree"} {
		if got := s.Get("namespaces/stage/persistentvolumeclaims/" + claim); at(got, "status", "phase") != "Bound" {
			t.Errorf("the claim %s is %v", claim, got)
		}
	}
	if err := single.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if got := s.Inventory(); len(got) != before || s.Get("namespaces/shop/pods/web") == nil {
		t.Errorf("undone, there is %q", got)
	}
}

func TestNamespaceThatTheKubeconfigDoesNotNameIsRefused(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, nil)
	single := protectiontest.NewSingle(p, source)
	if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	err := single.Run(t, p.Hooks(karbor.RestoreOperation, karbor.PodType).Complete, begin(t, s, single, source, map[string]any{"restore_namespace": "kube-system"}))
	if err == nil || karbor.KindOf(err) != karbor.Forbidden || !strings.Contains(err.Error(), "into the namespace kube-system") {
		t.Errorf("got %v", err)
	}
}
