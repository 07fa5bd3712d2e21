package checkpoint

import (
	"context"
	"errors"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Documents are the small documents of one node, as its plug-in sees them: sealed and
// opened as the checkpoint's own. All methods may be called concurrently. It is a
// protection.Documents.
type Documents struct {
	papers      papers
	project, id string
	prefix      string // with closing slash

	mu sync.Mutex
	// closed tells whether the checkpoint's description is sealed, once known.
	closed, known bool
}

// Documents gives the documents of a node.
func (c *Checkpoints) Documents(projectID, id string, key karbor.NodeKey) (*Documents, error) {
	if err := checkIDs(projectID, id); err != nil {
		return nil, err
	}
	prefix := nodesPrefix(projectID, id) + string(key) + "/documents"
	if err := bank.CheckKey(prefix); err != nil {
		return nil, err
	}
	return &Documents{papers: c.papers, project: projectID, id: id, prefix: prefix + "/"}, nil
}

// Sealed reports whether CreateJSON seals what it writes.
func (d *Documents) Sealed() bool { return d.papers.sealer != nil }

// CreateJSON writes v as a document. One that is there already with the same text, as
// encoding/json writes it, is no error, so that a hook that runs again does no harm;
// one with another is karbor.Conflict. In the clear, an object whose first member is
// "sealed" is karbor.Invalid. Without a Sealer nothing is added to a checkpoint that is
// sealed: *ClosedError.
func (d *Documents) CreateJSON(ctx context.Context, key string, v any) error {
	if d.papers.sealer == nil {
		sealed, err := d.sealed(ctx)
		if err != nil {
			return err
		}
		if sealed {
			return &ClosedError{d.project, d.id, karbor.Errorf(karbor.Unavailable, "it is sealed, and there are no keys here to seal what is added")}
		}
	}
	return named(d.project, d.id, d.papers.create(ctx, d.project, d.prefix+key, v))
}

// GetJSON reads the document under key into v; karbor.NotFound if it is not there.
// A sealed one that was changed or brought here from elsewhere, and one in the clear
// in a sealed checkpoint, are *DamageError; one whose key is not there *ClosedError.
func (d *Documents) GetJSON(ctx context.Context, key string, v any) error {
	sealed, err := d.papers.read(ctx, d.project, d.prefix+key, v)
	if err != nil {
		return named(d.project, d.id, err)
	}
	if sealed || d.papers.sealer == nil {
		return nil
	}
	// Who can write to the bank and has no key could put it there.
	whole, err := d.sealed(ctx)
	if err == nil && whole {
		err = &DamageError{d.project, d.id, errors.New("its document " + d.prefix + key + " is in the clear, and the checkpoint is sealed")}
	}
	return err
}

// sealed reports whether the checkpoint is sealed: its description tells.
func (d *Documents) sealed(ctx context.Context) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known {
		return d.closed, nil
	}
	sealed, err := d.papers.sealed(ctx, descriptionKey(d.project, d.id))
	if err == nil {
		d.closed, d.known = sealed, true
	}
	return sealed, err
}
