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
	Checkpoint string `json:"checkpoint"`
	// Node is "" for the list of contents itself.
	Node karbor.NodeKey `json:"node,omitempty"`
	// Place is its key in the bank; for a list of contents that can't be read, its begin.
	Place string `json:"place"`
	Why   string `json:"reason"`
}

// Comparison is what came of comparing a checkpoint with its list of contents.
type Comparison struct {
	Lost []LostObject
	// Unlisted says that it has no list, and Closed that its list is sealed and the key is not
	// here: nobody knows then what it has lost.
	Unlisted, Closed bool
}

// Lists counts checkpoints that were to be compared with their lists of contents.
type Lists struct {
	// Compared had a list, whole or not.
	Compared int `json:"compared"`
	// Unlisted and Closed are those of Comparison.
	Unlisted int `json:"unlisted"`
	Closed   int `json:"closed"`
}

// Add counts one.
func (l *Lists) Add(c Comparison) {
	switch {
	case c.Unlisted:
		l.Unlisted++
	case c.Closed:
		l.Closed++
	default:
		l.Compared++
	}
}

// Lost gives what an available checkpoint has lost whole, by its list of contents
// (docs/format/layout1.md). It costs a listing of the checkpoint and the reading of its list.
func Lost(ctx context.Context, c *checkpoint.Checkpoints, o checkpoint.Overview) (Comparison, error) {
	if o.Contents == "" {
		return Comparison{Unlisted: true}, nil
	}
	projectID, id := o.ProjectID, o.ID
	name := projectID + "/" + id
	missing, err := c.Missing(ctx, o)
	if list, damaged := errors.AsType[*checkpoint.ListError](err); damaged {
		return Comparison{Lost: []LostObject{{Checkpoint: name, Place: "v1/checkpoints/" + name + "/contents", Why: list.Error()}}}, nil
	}
	if _, closed := errors.AsType[*checkpoint.ClosedError](err); closed {
		return Comparison{Closed: true}, nil
	}
	if err != nil {
		return Comparison{}, err
	}
	nodes, err := c.Nodes(projectID, id)
	if err != nil {
		return Comparison{}, err
	}
	var lost []LostObject
	for _, key := range missing {
		node := nodeOf(key)
		lost = append(lost, LostObject{Checkpoint: name, Node: node, Place: nodes.Key(key),
			Why: strings.TrimPrefix(key, string(node)+"/") + " was there when the checkpoint became available, and is missing"})
	}
	return Comparison{Lost: lost}, nil
}

// nodeOf gives the node of a key of the list.
func nodeOf(key string) karbor.NodeKey {
	parts := strings.SplitN(key, "/", 3)
	return karbor.NodeKey(parts[0] + "/" + parts[1])
}

// checkContents reports what an available checkpoint has lost whole.
func (c *checker) checkContents(ctx context.Context, o checkpoint.Overview) error {
	found, err := Lost(ctx, c.checkpoints, o)
	if err != nil {
		return err
	}
	for _, l := range found.Lost {
		if err := c.found(Finding{Damage: true, Checkpoint: l.Checkpoint, Node: l.Node, Place: l.Place, Text: l.Why}); err != nil {
			return err
		}
	}
	return nil
}

// contents notes what an available checkpoint has lost whole.
func (v *verifier) contents(ctx context.Context, o checkpoint.Overview) error {
	found, err := Lost(ctx, v.Checkpoints, o)
	if err != nil {
		return err
	}
	v.found.Lost = append(v.found.Lost, found.Lost...)
	v.found.Lists.Add(found)
	return nil
}
