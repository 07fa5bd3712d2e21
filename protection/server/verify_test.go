package server_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestServerWhoseBootVolumeIsNotInTheCheckpointIsNotGood verifies a server after a
// checkpoint of it that lost the volume, or the way from the server to it.
func TestServerWhoseBootVolumeIsNotInTheCheckpointIsNotGood(t *testing.T) {
	s, p := newSite(t), open(t)
	source := s.bootedFromVolume(t)
	whole := protectiontest.NewSingle(p, source)
	call := whole.Begin(s.tenant.Cloud, nil, nil)
	if err := whole.Run(t, p.Hooks(karbor.Protect, karbor.ServerType).Main, call); err != nil {
		t.Fatal(err)
	}
	server, volume := source.Graph.Nodes()[0], source.Graph.Nodes()[1]
	if server.Type != karbor.ServerType {
		server, volume = volume, server
	}
	with := func(connect bool) error {
		g := &karbor.Graph{}
		node := g.Add(server.Resource, "")
		if connect {
			g.Connect(node, g.Add(volume.Resource, ""))
		}
		call := whole.Begin(s.tenant.Cloud, nil, nil)
		call.Graph, call.Node = g, node
		return whole.Run(t, p.Hooks(karbor.Verify, karbor.ServerType).Main, call)
	}
	if err := with(true); err != nil {
		t.Errorf("with its volume: %v", err)
	}
	if err := with(false); err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), "which is not in the checkpoint") {
		t.Errorf("without its volume: %v", err)
	}
}
