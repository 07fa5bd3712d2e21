package karbor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// NodeKey names a node of a resource graph: the type's word and the
// resource's id, with the parent's id behind an @ for a node that exists only
// in a role ("image/7f…@3c…" is the image of the server 3c…). The same key
// names the node in results, in new resources and in the bank.
type NodeKey string

// MakeNodeKey builds the key of a resource. role is the parent's id for a node
// that exists only in a role, else "".
func MakeNodeKey(r Resource, role string) NodeKey {
	key := r.Type.Word() + "/" + r.ID
	if role != "" {
		key += "@" + role
	}
	return NodeKey(key)
}

// Node is a resource in a graph.
type Node struct {
	Resource
	// Role is the id of the parent that this node exists for, or "" for a
	// node that any number of parents share.
	Role string
	// Children are the keys of the nodes that this one depends on.
	Children []NodeKey
}

// Key gives the node's key.
func (n *Node) Key() NodeKey { return MakeNodeKey(n.Resource, n.Role) }

// Graph is a directed acyclic graph of resources, parent to child. Nodes are
// in the order in which they were added; a child may come before its parent.
// It is not safe for concurrent change.
type Graph struct {
	nodes []*Node
	byKey map[NodeKey]*Node
}

// Add puts a node into the graph, or returns the one that has its key already.
func (g *Graph) Add(r Resource, role string) *Node {
	key := MakeNodeKey(r, role)
	if n := g.byKey[key]; n != nil {
		return n
	}
	if g.byKey == nil {
		g.byKey = map[NodeKey]*Node{}
	}
	n := &Node{Resource: r, Role: role}
	g.nodes = append(g.nodes, n)
	g.byKey[key] = n
	return n
}

// Connect makes child a child of parent, once.
func (g *Graph) Connect(parent, child *Node) {
	if key := child.Key(); !slices.Contains(parent.Children, key) {
		parent.Children = append(parent.Children, key)
	}
}

// Node gives the node of a key, or nil.
func (g *Graph) Node(key NodeKey) *Node { return g.byKey[key] }

// Nodes gives all nodes. The caller must not change the slice.
func (g *Graph) Nodes() []*Node { return g.nodes }

// Children gives the nodes that n depends on.
func (g *Graph) Children(n *Node) []*Node {
	out := make([]*Node, 0, len(n.Children))
	for _, key := range n.Children {
		out = append(out, g.byKey[key])
	}
	return out
}

// Parents gives the nodes that depend on n.
func (g *Graph) Parents(n *Node) []*Node {
	var out []*Node
	key := n.Key()
	for _, p := range g.nodes {
		if slices.Contains(p.Children, key) {
			out = append(out, p)
		}
	}
	return out
}

// Check reports an edge to nowhere, or a cycle, whose members it names.
func (g *Graph) Check() error {
	const (
		active = 1
		done   = 2
	)
	state := make(map[NodeKey]int, len(g.nodes))
	var path []NodeKey
	var visit func(key NodeKey) error
	visit = func(key NodeKey) error {
		n := g.byKey[key]
		switch {
		case n == nil:
			return Errorf(Invalid, "the resource graph has an edge to %q, which is not in it", key)
		case state[key] == done:
			return nil
		case state[key] == active:
			from := slices.Index(path, key)
			var names []string
			for _, k := range append(path[from:], key) {
				names = append(names, string(k))
			}
			return Errorf(Invalid, "the resources depend on each other in a circle: %s", strings.Join(names, " -> "))
		}
		state[key] = active
		path = append(path, key)
		for _, c := range n.Children {
			if err := visit(c); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		state[key] = done
		return nil
	}
	for _, n := range g.nodes {
		if err := visit(n.Key()); err != nil {
			return err
		}
	}
	return nil
}

// roleMember is the member of a node's extra information, in the graph's text,
// that holds its role.
const roleMember = "karbor_role"

// MarshalText writes the graph as the wire contract has it: a map of short
// keys to [type, id, name, extra], and a list of [key, [child keys]].
func (g *Graph) MarshalText() ([]byte, error) {
	short := make(map[NodeKey]string, len(g.nodes))
	nodes := make(map[string][]any, len(g.nodes))
	for i, n := range g.nodes {
		short[n.Key()] = fmt.Sprintf("%#x", i)
		extra := map[string]string{}
		maps.Copy(extra, n.ExtraInfo)
		if n.Role != "" {
			extra[roleMember] = n.Role
		}
		nodes[fmt.Sprintf("%#x", i)] = []any{n.Type, n.ID, n.Name, extra}
	}
	edges := [][]any{}
	for _, n := range g.nodes {
		if len(n.Children) == 0 {
			continue
		}
		keys := make([]string, 0, len(n.Children))
		for _, c := range n.Children {
			keys = append(keys, short[c])
		}
		edges = append(edges, []any{short[n.Key()], keys})
	}
	return json.Marshal([]any{nodes, edges})
}

// UnmarshalText reads what MarshalText wrote. It refuses a text with unknown
// types, bad ids, edges to nowhere or cycles.
func (g *Graph) UnmarshalText(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil || len(parts) != 2 {
		return Errorf(Invalid, "the resource graph is not a list of nodes and edges")
	}
	*g = Graph{}
	short, err := g.readNodes(parts[0])
	if err != nil {
		return err
	}
	if err := g.readEdges(parts[1], short); err != nil {
		return err
	}
	return g.Check()
}

func (g *Graph) readNodes(text []byte) (map[string]*Node, error) {
	var nodes map[string][]json.RawMessage
	if err := json.Unmarshal(text, &nodes); err != nil {
		return nil, Errorf(Invalid, "the nodes of the resource graph can't be read")
	}
	keys := make([]string, 0, len(nodes))
	for k := range nodes {
		keys = append(keys, k)
	}
	// The short keys are hexadecimal numbers in the order of the nodes.
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	short := make(map[string]*Node, len(nodes))
	for _, k := range keys {
		var r Resource
		extra := map[string]string{}
		fields := []any{&r.Type, &r.ID, &r.Name, &extra}
		if len(nodes[k]) < 3 || len(nodes[k]) > len(fields) {
			return nil, Errorf(Invalid, "node %q of the resource graph does not have 3 or 4 members", k)
		}
		for i, raw := range nodes[k] {
			if err := json.Unmarshal(raw, fields[i]); err != nil {
				return nil, Errorf(Invalid, "node %q of the resource graph can't be read", k)
			}
		}
		role := extra[roleMember]
		delete(extra, roleMember)
		if len(extra) > 0 {
			r.ExtraInfo = extra
		}
		if !r.Type.Known() || !IsResourceID(r.ID) || role != "" && !IsResourceID(role) {
			return nil, Errorf(Invalid, "node %q of the resource graph has an unknown type or a bad id", k)
		}
		if g.byKey[MakeNodeKey(r, role)] != nil {
			return nil, Errorf(Invalid, "node %q of the resource graph is there twice", k)
		}
		short[k] = g.Add(r, role)
	}
	return short, nil
}

func (g *Graph) readEdges(text []byte, short map[string]*Node) error {
	var edges [][]json.RawMessage
	if err := json.Unmarshal(text, &edges); err != nil {
		return Errorf(Invalid, "the edges of the resource graph can't be read")
	}
	for _, e := range edges {
		var from string
		var to []string
		if len(e) != 2 || json.Unmarshal(e[0], &from) != nil || json.Unmarshal(e[1], &to) != nil || short[from] == nil {
			return Errorf(Invalid, "an edge of the resource graph can't be read")
		}
		for _, t := range to {
			if short[t] == nil {
				return Errorf(Invalid, "the resource graph has an edge to %q, which is not in it", t)
			}
			g.Connect(short[from], short[t])
		}
	}
	return nil
}
