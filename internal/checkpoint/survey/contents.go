package survey

import (
	"context"
	"errors"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
)

// LostObject is a document or a stream's manifest that a checkpoint had when it became available,
// and that is not in the bank any more.
type LostObject struct {
	// Checkpoint is its project and id, with a slash between them.
	Checkpoint string         `json:"checkpoint"`
	Node       karbor.NodeKey `json:"node,omitempty"`
	// Place is its key in the bank; for a list of contents that can't be read, its begin.
	Place string `json:"place"`
	Why   string `json:"reason"`
}

// Lost gives what an available checkpoint has lost whole, by its list of contents
// (docs/format/layout1.md). Nothing is told of one without a list, or whose list is sealed and
// the key is not here. It costs a listing of the checkpoint and the reading of its list.
func Lost(ctx context.Context, c *checkpoint.Checkpoints, projectID, id string) ([]LostObject, error) {
	name := projectID + "/" + id
	missing, err := c.Missing(ctx, projectID, id)
	if damage, damaged := errors.AsType[*checkpoint.DamageError](err); damaged {
		return []LostObject{{Checkpoint: name, Place: "v1/checkpoints/" + name + "/contents", Why: damage.Err.Error()}}, nil
	}
	if _, closed := errors.AsType[*checkpoint.ClosedError](err); closed {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	nodes, err := c.Nodes(projectID, id)
	if err != nil {
		return nil, err
	}
	var lost []LostObject
	for _, key := range missing {
		node := nodeOf(key)
		lost = append(lost, LostObject{Checkpoint: name, Node: node, Place: nodes.Key(key),
			Why: strings.TrimPrefix(key, string(node)+"/") + " was there when the checkpoint became available, and is missing"})
	}
	return lost, nil
}

// nodeOf gives the node of a key of the list.
func nodeOf(key string) karbor.NodeKey {
	for i, slashes := 0, 0; i < len(key); i++ {
		if key[i] == '/' {
			if slashes++; slashes == 2 {
				return karbor.NodeKey(key[:i])
			}
		}
	}
	return ""
}

// checkContents reports what an available checkpoint has lost whole.
func (c *checker) checkContents(ctx context.Context, o checkpoint.Overview) error {
	lost, err := Lost(ctx, c.checkpoints, o.ProjectID, o.ID)
	for i := 0; err == nil && i < len(lost); i++ {
		err = c.found(Finding{Damage: true, Checkpoint: lost[i].Checkpoint, Node: lost[i].Node, Place: lost[i].Place, Text: lost[i].Why})
	}
	return err
}

// contents notes what an available checkpoint has lost whole.
func (v *verifier) contents(ctx context.Context, project, id string) error {
	lost, err := Lost(ctx, v.Checkpoints, project, id)
	v.found.Lost = append(v.found.Lost, lost...)
	return err
}
