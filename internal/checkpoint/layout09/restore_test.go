package layout09_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/server"
	"github.com/karbor/karbor/protection/volumeglance"
)

// plugins are those of today, by type.
func plugins(t *testing.T) map[karbor.ResourceType]protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte("{poll_interval: 20ms, timeout: 2m}"), 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[karbor.ResourceType]protection.Plugin{}
	for _, open := range []func(context.Context, ast.Node) (protection.Plugin, error){
		image.Plugin.Open, server.Plugin.Open, volumeglance.Plugin.Open, network.Plugin.Open,
	} {
		p, err := open(t.Context(), file.Docs[0].Body)
		if err != nil {
			p, err = open(t.Context(), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range p.Types() {
			all[kind] = p
		}
	}
	return all
}

// records are a restore's scratch record of one node, and the new resources of all.
type records struct {
	key karbor.NodeKey
	*restored
	scratch []byte
}

type restored struct {
	mu         sync.Mutex
	ids, parts map[string]string
	notKept    []string
}

func (r *records) Load(_ context.Context, v any) error {
	if r.scratch == nil {
		return nil
	}
	return json.Unmarshal(r.scratch, v)
}

func (r *records) Save(_ context.Context, v any) (err error) {
	r.scratch, err = json.Marshal(v)
	return err
}

func (r *restored) get(from map[string]string, key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return from[key]
}

func (r *restored) set(into map[string]string, key, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	into[key] = id
	return nil
}

func (r *records) ID(key karbor.NodeKey) string { return r.get(r.ids, string(key)) }

func (r *records) Set(_ context.Context, id string) error { return r.set(r.ids, string(r.key), id) }

func (r *records) Part(original string) string { return r.get(r.parts, original) }

func (r *records) SetPart(_ context.Context, original, id string) error {
	return r.set(r.parts, original, id)
}

// restore restores the checkpoint of a bank of layout 1.
func restore(t *testing.T, cs *checkpoint.Checkpoints, to layout09.Target, cloud karbor.Cloud) *restored {
	t.Helper()
	project := cloud.ProjectID()
	cp, err := cs.Get(t.Context(), project, cpID)
	if err != nil {
		t.Fatal(err)
	}
	out := &restored{ids: map[string]string{}, parts: map[string]string{}}
	rooms := plugins(t)
	calls := map[karbor.NodeKey]*protection.Call{}
	for _, node := range cp.Graph.Nodes() {
		documents, err := cs.Documents(project, cpID, node.Key())
		if err != nil {
			t.Fatal(err)
		}
		data, err := to.Data(t.Context(), project, cpID, node.Key())
		if err != nil {
			t.Fatal(err)
		}
		own := &records{key: node.Key(), restored: out}
		intents := protection.NewIntents(own, time.Now, time.Millisecond)
		calls[node.Key()] = &protection.Call{
			OperationID: "op", Owner: "dddddddd-1111-4111-8111-111111111111", CheckpointID: cpID, Graph: cp.Graph, Node: node,
			Documents: documents, Data: data, Scratch: intents.Scratch(), Intents: intents, NewResources: own, Cloud: cloud,
			Progress: func(int64, int64) {}, NotKept: func(s string) { out.notKept = append(out.notKept, s) },
		}
	}
	phases := []func(protection.Hooks) protection.Hook{
		func(h protection.Hooks) protection.Hook { return h.PrepareBegin },
		func(h protection.Hooks) protection.Hook { return h.PrepareFinish },
		func(h protection.Hooks) protection.Hook { return h.Main },
		func(h protection.Hooks) protection.Hook { return h.Complete },
	}
	for _, phase := range phases {
		for _, node := range slices.Backward(cp.Graph.Nodes()) { // children come after their parents here
			hook := phase(rooms[node.Type].Hooks(karbor.RestoreOperation, node.Type))
			if hook == nil {
				continue
			}
			if err := hook(t.Context(), calls[node.Key()]); err != nil {
				t.Fatalf("restoring %s: %v", node.Key(), err)
			}
		}
	}
	return out
}

func TestApplicationOfAPythonBankIsRestoredByTodaysPlugins(t *testing.T) {
	for name, topology := range map[string]bool{"with its networks": true, "on the networks that are there": false} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			b := newBank(t)
			s.keep(b, topology)
			want := s.view(s.server, s.volume, s.image)
			if !topology { // nothing was kept of addresses
				delete(want, "hardware")
				delete(want, "address")
			}
			s.destroy(topology)
			i, err := b.open().Prepare(t.Context(), cpID)
			if err != nil {
				t.Fatal(err)
			}
			cs, to := open1(t, banktest.NewMemory(), "importer")
			if err := i.Run(t.Context(), to, nil); err != nil {
				t.Fatal(err)
			}
			r := restore(t, cs, to, s.n.Cloud)
			got := s.view(r.ids["server/"+s.server], r.ids["volume/"+s.volume], r.ids["image/"+s.image])
			if !topology {
				delete(got, "hardware")
				delete(got, "address")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the restored application differs (-original +restored):\n%s", diff)
			}
			lost := []string{
				"The server has no user data: it could not be read when the server was protected.",
				"The server's host name may be another: it could not be read when the server was protected.",
			}
			if topology {
				lost = append([]string{`The router "door" may have another external address than before.`}, lost...)
			}
			if diff := cmp.Diff(lost, r.notKept); diff != "" {
				t.Errorf("not kept: %s", diff)
			}
			if topology {
				s.compareBytes(r.ids["volume/"+s.volume])
			}
		})
	}
}
