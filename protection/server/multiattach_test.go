package server_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// shared makes a volume that several servers may have.
func (s *site) shared(t *testing.T) string {
	t.Helper()
	id := text(s.tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "shared", "size": 1, "volume_type": "multiattach"}), "id")
	s.tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	return id
}

// owner makes a server that has the volume.
func (s *site) owner(t *testing.T, name, volume string) string {
	t.Helper()
	id := text(s.tenant.Make(t, "compute", "servers", "server", map[string]any{
		"name": name, "flavorRef": "1", "imageRef": s.image, "networks": []any{map[string]any{"uuid": s.network}}}), "id")
	s.tenant.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	s.tenant.Do(t, "compute", http.MethodPost, "servers/"+id+"/os-volume_attachments",
		map[string]any{"volumeAttachment": map[string]any{"volumeId": volume, "device": "/dev/vdb"}})
	s.tenant.Await(t, "volume", "volumes/"+volume, "volume", "in-use")
	return id
}

// owners gives the servers that have a volume.
func (s *site) owners(t *testing.T, volume string) []string {
	t.Helper()
	var ids []string
	attached, _ := s.tenant.Show(t, "volume", "volumes/"+volume, "volume")["attachments"].([]any)
	for _, x := range attached {
		ids = append(ids, text(x.(map[string]any), "server_id"))
	}
	slices.Sort(ids)
	return ids
}

func TestVolumeOfTwoServersIsAttachedToBothAgain(t *testing.T) {
	s := newSite(t)
	volume := s.shared(t)
	g := &karbor.Graph{}
	data := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: volume, Name: "shared"}, "")
	children := map[karbor.NodeKey]string{}
	var servers []*protectiontest.Single
	var originals []string
	for _, name := range []string{"one", "two"} {
		id := s.owner(t, name, volume)
		node := g.Add(karbor.Resource{Type: karbor.ServerType, ID: id, Name: name}, "")
		image := g.Add(karbor.Resource{Type: karbor.ImageType, ID: s.image, Name: "base"}, id)
		g.Connect(node, image)
		g.Connect(node, data)
		children[image.Key()] = s.image
		servers = append(servers, protectiontest.NewSingle(open(t), protectiontest.Source{Graph: g, Key: node.Key()}))
		originals = append(originals, id)
	}
	hooks := func(op karbor.OperationType) []protection.Hook {
		h := open(t).Hooks(op, karbor.ServerType)
		return slices.DeleteFunc([]protection.Hook{h.PrepareBegin, h.PrepareFinish, h.Main, h.Complete}, func(h protection.Hook) bool { return h == nil })
	}
	run := func(op karbor.OperationType) {
		t.Helper()
		var calls []*protection.Call
		for _, server := range servers {
			calls = append(calls, server.Begin(s.tenant.Cloud, children, nil))
		}
		for _, hook := range hooks(op) {
			failures := make([]error, len(servers))
			var running sync.WaitGroup
			for i, server := range servers {
				running.Go(func() { failures[i] = server.Run(t, hook, calls[i]) })
			}
			running.Wait()
			for i, err := range failures {
				if err != nil {
					t.Fatalf("%s of server %d: %v", op, i, err)
				}
			}
		}
	}
	run(karbor.Protect)
	for _, id := range originals {
		s.tenant.Remove(t, "compute", "servers/"+id, "server")
	}
	s.tenant.Remove(t, "volume", "volumes/"+volume, "volume")
	restored := s.shared(t)
	children[data.Key()] = restored
	run(karbor.RestoreOperation)
	var want []string
	for i, server := range servers {
		result := server.Result()
		want = append(want, result.ID)
		for _, sentence := range result.NotKept {
			if strings.Contains(sentence, "olume") {
				t.Errorf("of server %d is not kept: %s", i, sentence)
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, s.owners(t, restored)); diff != "" || len(want) != 2 {
		t.Errorf("the volume's servers (-want +got):\n%s", diff)
	}
}
