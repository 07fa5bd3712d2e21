package layout09

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
)

// maxNodes bounds a graph: twice what one checkpoint of today's may have.
const maxNodes = 20_000

// texts gives the members of an object as texts: those that are none as JSON. Anything
// but an object has none.
func texts(raw json.RawMessage) map[string]string {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || len(members) == 0 {
		return nil
	}
	out := map[string]string{}
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		if string(value) != "null" {
			out[name] = text
		}
	}
	return out
}

// parseGraph reads a resource graph: layout 1's form, in a text, where the extra
// information may be missing or null or hold anything, and where one resource may be
// several nodes, as which it was found below several parents. Its documents lie at one
// place all the same, so these nodes become one.
func parseGraph(raw json.RawMessage) (*karbor.Graph, error) {
	var parts []json.RawMessage
	if err := unwrap(raw, &parts); err != nil || len(parts) != 2 {
		return nil, errors.New("the resource graph is not a list of nodes and edges")
	}
	var nodes map[string][]json.RawMessage
	if err := json.Unmarshal(parts[0], &nodes); err != nil {
		return nil, fmt.Errorf("the nodes of the resource graph can't be read: %w", err)
	}
	var edges [][2]json.RawMessage
	if err := json.Unmarshal(parts[1], &edges); err != nil {
		return nil, fmt.Errorf("the edges of the resource graph can't be read: %w", err)
	}
	if len(nodes) > maxNodes {
		return nil, fmt.Errorf("the resource graph has %d nodes; %d are the limit", len(nodes), maxNodes)
	}
	same, err := tidyNodes(nodes)
	if err != nil {
		return nil, err
	}
	tidied, err := tidyEdges(edges, same)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal([]any{nodes, tidied})
	if err != nil {
		return nil, err
	}
	graph := &karbor.Graph{}
	if err := graph.UnmarshalText(text); err != nil {
		return nil, err
	}
	return graph, nil
}

// tidyNodes gives nodes layout 1's form, takes out all but one node of each resource, and tells which
// node stands for which.
func tidyNodes(nodes map[string][]json.RawMessage) (map[string]string, error) {
	same, first := map[string]string{}, map[string]string{}
	for key, node := range nodes {
		if len(node) < 3 || len(node) > 4 {
			return nil, fmt.Errorf("node %q of the resource graph has %d members", key, len(node))
		}
		var extra json.RawMessage
		if len(node) == 4 {
			extra = node[3]
		}
		kept := texts(extra)
		delete(kept, "karbor_role") // means something in layout 1
		tidied, err := json.Marshal(kept)
		if err != nil {
			return nil, err
		}
		if kept == nil {
			tidied = []byte("{}")
		}
		name := node[2]
		if string(name) == "null" {
			name = []byte(`""`)
		}
		nodes[key] = []json.RawMessage{node[0], node[1], name, tidied}
		resource := string(node[0]) + string(node[1])
		if old, there := first[resource]; !there || less(key, old) {
			first[resource] = key
		}
	}
	for key, node := range nodes {
		same[key] = first[string(node[0])+string(node[1])]
	}
	for key, stands := range same {
		if key != stands {
			delete(nodes, key)
		}
	}
	return same, nil
}

// less orders short keys: they are hexadecimal numbers.
func less(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// tidyEdges has edges join the nodes that are left.
func tidyEdges(edges [][2]json.RawMessage, same map[string]string) ([][]any, error) {
	out := [][]any{}
	for _, e := range edges {
		var from string
		var to []string
		if json.Unmarshal(e[0], &from) != nil || json.Unmarshal(e[1], &to) != nil || same[from] == "" {
			return nil, errors.New("an edge of the resource graph can't be read")
		}
		for i := range to {
			if same[to[i]] == "" {
				return nil, fmt.Errorf("the resource graph has an edge to %q, which is not in it", to[i])
			}
			to[i] = same[to[i]]
		}
		if to == nil {
			to = []string{}
		}
		out = append(out, []any{same[from], to})
	}
	return out, nil
}
