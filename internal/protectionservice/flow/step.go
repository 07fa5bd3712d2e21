package flow

import (
	"strconv"
	"strings"

	"github.com/karbor/karbor"
)

// maxStepID is the longest id of a step, in bytes (see workflow.Step).
const maxStepID = 255

// stepID names the step of a hook of the i-th node of a graph; NodeOf takes it
// apart. It holds the node's key, for who reads the log, or its place where the key
// is too long.
func stepID(hook string, g *karbor.Graph, i int) string {
	id := hook + ":" + string(g.Nodes()[i].Key())
	if len(id) > maxStepID {
		id = hook + ":#" + strconv.Itoa(i)
	}
	return id
}

// NodeOf gives the hook and the node of a step's id; a nil node if it is of none.
func NodeOf(g *karbor.Graph, id string) (hook string, node *karbor.Node) {
	hook, key, _ := strings.Cut(id, ":")
	if place, found := strings.CutPrefix(key, "#"); found {
		if i, err := strconv.Atoi(place); err == nil && i >= 0 && i < len(g.Nodes()) {
			return hook, g.Nodes()[i]
		}
		return hook, nil
	}
	return hook, g.Node(karbor.NodeKey(key))
}
