package layout09

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/karbor/karbor"
)

// maxContents bounds the metadata of one checkpoint in memory.
const maxContents = 256 << 20

// Contents are what a bank holds of a checkpoint's resources.
type Contents struct {
	Checkpoint
	nodes map[karbor.NodeKey]*Node
	// boot are the volumes that servers of the checkpoint boot from.
	boot map[string]bool
	// ports are those that the metadata of networks tell of, by their servers; groups
	// the ids of security groups by their names: the lowest, where there are several.
	ports  map[string][]serverPort
	seen   map[string]bool // ids of ports
	groups map[string]string
}

// Contents reads what the bank holds of a checkpoint's resources, but for their bulk
// data. It fails with what is damaged.
func (c *Checkpoints) Contents(ctx context.Context, cp Checkpoint) (*Contents, error) {
	if cp.GraphError != nil {
		return nil, &DamageError{cp.ID, indexKey(cp.ID), cp.GraphError}
	}
	t := &Contents{
		Checkpoint: cp, nodes: map[karbor.NodeKey]*Node{}, boot: map[string]bool{},
		ports: map[string][]serverPort{}, seen: map[string]bool{}, groups: map[string]string{},
	}
	topologies, size := map[string]bool{}, 0
	for _, node := range cp.Graph.Nodes() {
		r, err := c.Resource(ctx, cp, node)
		if err != nil {
			return nil, err
		}
		if size += len(r.Metadata); size > maxContents {
			return nil, &DamageError{cp.ID, root + cp.ID, fmt.Errorf("its documents have more than %d bytes", maxContents)}
		}
		n := &Node{Resource: r}
		if n.stream, err = c.stream(r); err != nil {
			return nil, err
		}
		t.nodes[node.Key()] = n
		switch {
		case r.Metadata == nil:
		case node.Type == karbor.ServerType:
			err = t.noteServer(n)
		case node.Type == karbor.NetworkType && !topologies[r.prefix]:
			topologies[r.prefix] = true
			err = t.noteNetworks(n)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// noteServer notes what a server tells of volumes.
func (t *Contents) noteServer(n *Node) error {
	var m serverMetadata
	if err := n.decode(&m); err != nil {
		return err
	}
	t.boot[m.Boot.VolumeID] = true
	for id, a := range m.Attachments {
		if a.Bootable == "true" {
			t.boot[id] = true
		}
	}
	return nil
}

// noteNetworks notes what networks tell of servers.
func (t *Contents) noteNetworks(n *Node) error {
	var top topology
	if err := n.decode(&top); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(top.SecurityGroups)) {
		if name := top.SecurityGroups[id].Name; t.groups[name] == "" {
			t.groups[name] = id
		}
	}
	for _, id := range slices.Sorted(maps.Keys(top.Ports)) {
		p := top.Ports[id].translated(id)
		if p.DeviceID == "" || t.seen[id] {
			continue
		}
		t.seen[id] = true
		sp := serverPort{port: p, GroupNames: map[string]string{}}
		for _, g := range p.SecurityGroups {
			sp.GroupNames[g] = top.SecurityGroups[g].Name
		}
		t.ports[p.DeviceID] = append(t.ports[p.DeviceID], sp)
	}
	return nil
}

// Node gives a node of the checkpoint for the plug-in of its type. One whose bytes are
// in the cloud instead of the bank, and one of a type that no plug-in here reads, is
// karbor.NotImplemented and says so.
func (t *Contents) Node(ctx context.Context, key karbor.NodeKey) (*Node, error) {
	n := t.nodes[key]
	if n == nil {
		return nil, karbor.Errorf(karbor.NotFound, "checkpoint %s has no resource %s", t.ID, key)
	}
	var err error
	switch n.Node.Type {
	case karbor.ProjectType: // its children do everything
	case karbor.VolumeType:
		n.Document, err = t.volume(ctx, n)
	case karbor.ImageType:
		n.Document, err = t.image(ctx, n)
	case karbor.ServerType:
		n.Document, err = t.server(n)
	case karbor.NetworkType:
		n.Document, err = t.network(n)
	default:
		err = karbor.Errorf(karbor.NotImplemented, "what was kept of %s can't be read by this version", n.Node.Resource.Key())
	}
	return n, err
}

// bytes gives the size of a node's bulk data, which must be in the bank.
func (n *Node) bytes(ctx context.Context) (int64, error) {
	if n.stream == nil {
		var b bulk
		if err := n.decode(&b); err != nil {
			return 0, err
		}
		var where string
		switch {
		case b.BackupID != "":
			where = "backup " + b.BackupID
		case b.SnapshotID != "":
			where = "snapshot " + b.SnapshotID
		default:
			return 0, n.damaged(errors.New("it does not say where the bytes are"))
		}
		return 0, karbor.Errorf(karbor.NotImplemented, "the bytes of %s are not in the bank, but in the cloud as %s",
			n.Node.Resource.Key(), where)
	}
	if err := n.stream.prepare(ctx); err != nil {
		return 0, err
	}
	return n.stream.size, nil
}
