package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// contents is the list of what a checkpoint has: keys below its nodes.
type contents struct {
	Layout  int      `json:"layout"`
	Objects []string `json:"objects"`
}

// maxContents bounds a list. A checkpoint that has more goes without: no other does.
const maxContents = 100_000

// counted reports whether a key below nodes/ is in the list: that of a document, or of a stream's
// manifest, which itself says what belongs to the stream.
func counted(key string) bool {
	parts := strings.Split(key, "/")
	switch {
	case len(parts) < 4:
		return false
	case parts[2] == "documents":
		return true
	}
	return parts[2] == "data" && len(parts) == 5 && parts[4] == "manifest"
}

// held lists what a checkpoint has now, in the order of the keys; more is true if that is more than
// a list holds. However much bulk data there is, it sees a page or so of each stream's.
func (c *Checkpoints) held(ctx context.Context, project, id string) (keys []string, more bool, err error) {
	prefix := nodesPrefix(project, id)
	for marker := ""; ; {
		infos, err := c.bank.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return nil, false, err
		}
		for _, i := range infos {
			key := strings.TrimPrefix(i.Key, prefix)
			if !counted(key) {
				continue
			}
			if len(keys) == maxContents {
				return keys, true, nil
			}
			keys = append(keys, key)
		}
		if len(infos) < bank.MaxList {
			return keys, false, nil
		}
		marker = prefix + pastData(strings.TrimPrefix(infos[len(infos)-1].Key, prefix))
	}
}

// pastData gives the marker with which a listing of what is below nodes/ goes on from a key: past
// all that its writer has written of a stream.
func pastData(key string) string {
	parts := strings.SplitN(key, "/", 6) // <type>/<id>/data/<stream>/<writer>/…
	if len(parts) < 6 || parts[2] != "data" {
		return key
	}
	return strings.Join(parts[:5], "/") + "/~" // no key has a byte above z
}

// writeContents writes the list of what a checkpoint has that is to become available, and gives the
// name of the list; "" for none.
func (c *Checkpoints) writeContents(ctx context.Context, s *state) (string, error) {
	keys, more, err := c.held(ctx, s.ProjectID, s.CheckpointID)
	if err != nil {
		return "", fmt.Errorf("listing what it has: %w", err)
	}
	if more || len(keys) == 0 {
		return "", nil
	}
	return c.writeBeside(ctx, s, contentsKey, contents{Layout: layout, Objects: keys})
}

// Missing gives the keys of what an available checkpoint had when it became available, and what
// the bank does not have any more: documents and streams' manifests, below its nodes
// (docs/format/layout1.md, "List of contents"). o is its overview, as it was read some time ago.
// Nothing is missing of a checkpoint without a list, or in another state, then or by now. A list that
// is gone itself is a *DamageError with a *ListError, a sealed one whose key is not here a *ClosedError.
func (c *Checkpoints) Missing(ctx context.Context, o Overview) ([]string, error) {
	if err := checkIDs(o.ProjectID, o.ID); err != nil {
		return nil, err
	}
	s := &state{ProjectID: o.ProjectID, CheckpointID: o.ID, Status: o.Status, Contents: o.Contents, Sequence: o.Sequence}
	if !listed(s) {
		return nil, nil
	}
	missing, err := c.missing(ctx, s)
	if _, damaged := errors.AsType[*DamageError](err); err == nil && len(missing) == 0 || err != nil && !damaged {
		return nil, err
	}
	// Who deletes a checkpoint says so first.
	if s, again := c.newest(ctx, o.ProjectID, o.ID); again != nil || !listed(s) {
		return nil, again
	} else if past, again := c.isPast(ctx, s); again != nil || past {
		return nil, again
	}
	return missing, err
}

// isPast reports whether a state that was taken for the newest by a listing, which may lag, is not.
func (c *Checkpoints) isPast(ctx context.Context, s *state) (bool, error) {
	_, err := c.bank.Stat(ctx, stateKey(s.ProjectID, s.CheckpointID, s.Sequence+1))
	if karbor.KindOf(err) != karbor.NotFound {
		return err == nil, err
	}
	// The states go with the rest of what is deleted, the oldest first.
	_, err = c.bank.Stat(ctx, stateKey(s.ProjectID, s.CheckpointID, s.Sequence))
	if karbor.KindOf(err) == karbor.NotFound {
		return true, nil
	}
	return false, err
}

// listed reports whether a state says what must be there.
func listed(s *state) bool {
	return s != nil && s.Status == karbor.CheckpointAvailable && s.Contents != ""
}

// missing gives what of a list is not in the bank.
func (c *Checkpoints) missing(ctx context.Context, s *state) ([]string, error) {
	want, err := c.readContents(ctx, s)
	if err != nil {
		return nil, ofList(err)
	}
	there, _, err := c.held(ctx, s.ProjectID, s.CheckpointID)
	if err != nil {
		return nil, fmt.Errorf("listing what checkpoint %s has: %w", s.CheckpointID, err)
	}
	prefix := nodesPrefix(s.ProjectID, s.CheckpointID)
	absent := make([]bool, len(want))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, key := range want {
		if _, found := slices.BinarySearch(there, key); found {
			continue
		}
		group.Go(func() error { // the listing may lag
			_, err := c.bank.Stat(ctx, prefix+key)
			if absent[i] = err != nil && karbor.KindOf(err) == karbor.NotFound; absent[i] {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("looking what checkpoint %s has: %w", s.CheckpointID, err)
	}
	var missing []string
	for i, key := range want {
		if absent[i] {
			missing = append(missing, key)
		}
	}
	return missing, nil
}

// readContents reads the list that a state names.
func (c *Checkpoints) readContents(ctx context.Context, s *state) ([]string, error) {
	if _, ok := format.ParseName(s.Contents); !ok {
		return nil, &DamageError{s.ProjectID, s.CheckpointID, errors.New("its state names no list of contents")}
	}
	var list contents
	sealed, err := c.papers.read(ctx, s.ProjectID, contentsKey(s.ProjectID, s.CheckpointID, s.Contents), &list)
	why := ""
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		why = "its list of contents is missing"
	case err != nil:
		return nil, named(s.ProjectID, s.CheckpointID, err)
	case list.Layout != layout:
		why = "its list of contents is of another layout"
	}
	if why == "" && !sealed && c.papers.sealer != nil {
		// Who can write to the bank and has no key could put it there.
		whole, err := c.papers.sealed(ctx, descriptionKey(s.ProjectID, s.CheckpointID))
		if err != nil {
			return nil, err
		}
		if whole {
			why = "its list of contents is in the clear, and the rest of it is sealed"
		}
	}
	for i, key := range list.Objects {
		if !counted(key) || bank.CheckKey(key) != nil || i > 0 && list.Objects[i-1] >= key {
			why = "its list of contents is none"
		}
	}
	if why != "" {
		return nil, &DamageError{s.ProjectID, s.CheckpointID, errors.New(why)}
	}
	return list.Objects, nil
}

// Whole reports, as a *DamageError that names some of it, that an available checkpoint has lost
// what Missing tells. It reads the state first.
func (c *Checkpoints) Whole(ctx context.Context, projectID, id string) error {
	o, err := c.Overview(ctx, projectID, id)
	if err != nil {
		if karbor.KindOf(err) == karbor.NotFound {
			return nil
		}
		return err
	}
	missing, err := c.Missing(ctx, o)
	if err != nil || len(missing) == 0 {
		return err
	}
	const shown = 3
	text := strings.Join(missing[:min(shown, len(missing))], ", ")
	if more := len(missing) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return &DamageError{projectID, id, fmt.Errorf("it has lost %s", text)}
}
