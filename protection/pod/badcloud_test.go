package pod_test

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protection/protectiontest"
)

// caseOf is a case whose way to the cluster is way.
func (s site) caseOf(t *testing.T, way http.RoundTripper) protectiontest.Case {
	t.Helper()
	to := &line{to: way}
	return protectiontest.Case{
		Plugin: open(t, quick, kubernetes.Options{Servers: []string{"127.0.0.1"}, Transport: to}), Type: karbor.PodType, Markless: everything,
		Session: func(t *testing.T, client *http.Client) karbor.Cloud {
			return s.tenant.Session(t, client)
		},
		Inventory: func(*testing.T) []string { return s.Inventory() },
		Make:      func(t *testing.T) protectiontest.Source { return s.source(t, nil) },
	}
}

func TestClusterThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	s := newSite(t)
	protectiontest.RoundTrip(t, s.caseOf(t, protectiontest.Doubling{Base: s.Transport()}))
}

// TestPersistentVolumeOfTheNameThatSomebodyElseHasTakenIsToldAndLeft has the very name of the new persistent volume
// be taken by another's just before it is made.
func TestPersistentVolumeOfTheNameThatSomebodyElseHasTakenIsToldAndLeft(t *testing.T) {
	s := newSite(t)
	p := open(t, quick, local)
	source := s.source(t, nil)
	single := protectiontest.NewSingle(p, source)
	if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	s.clear()
	call := begin(t, s, single, source, nil)
	taken := ""
	for _, n := range call.Graph.Nodes() {
		if n.Type == karbor.VolumeType {
			taken = "karbor-" + call.Owner + "-" + n.ID
			s.Put("persistentvolumes/"+taken, object{"kind": "PersistentVolume", "apiVersion": "v1", "metadata": object{"name": taken, "labels": object{"of": "another"}},
				"spec": object{"capacity": object{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"}, "hostPath": object{"path": "/srv/another"}}})
		}
	}
	before := s.Inventory()
	hooks := p.Hooks(karbor.RestoreOperation, karbor.PodType)
	protectiontest.ExpectRefusal(t, single.Run(t, hooks.Complete, call), karbor.Conflict, "karbor-"+call.Owner)
	if err := single.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if now := s.Inventory(); len(now) != len(before) || at(s.Get("persistentvolumes/"+taken), "metadata", "labels", "of") != "another" {
		t.Errorf("undone, there is %q; before there was %q", now, before)
	}
}
