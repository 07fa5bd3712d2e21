package checkpoint

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Overview is what a bank tells of a checkpoint to who has no key: its newest valid
// state. Names, the plan and the resource graph are in the description.
type Overview struct {
	ProjectID, ID, ProviderID, PlanID string
	Status                            karbor.CheckpointStatus
	// Owner is who wrote the state; of one that is protecting or deleting, who is at work.
	Owner                string
	CreatedAt, UpdatedAt time.Time
	// Size is in logical bytes.
	Size int64
	// Reasons is the digest of the document that says what failed, or "".
	Reasons string
	// Contents is the digest under which its list of contents lies, or "": see Missing.
	Contents string
	// Sequence is the number of its newest state.
	Sequence int
}

func (s *state) overview() Overview {
	return Overview{
		ProjectID: s.ProjectID, ID: s.CheckpointID, ProviderID: s.ProviderID, PlanID: s.PlanID, Status: s.Status,
		Owner: s.Owner, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Size: s.Size, Reasons: s.Reasons,
		Contents: s.Contents, Sequence: s.Sequence,
	}
}

// Overview gives the overview of a checkpoint, karbor.NotFound if there is none. A
// deleted one has an overview as long as its tombstone lies there.
func (c *Checkpoints) Overview(ctx context.Context, projectID, id string) (Overview, error) {
	if err := checkIDs(projectID, id); err != nil {
		return Overview{}, err
	}
	s, err := c.newest(ctx, projectID, id)
	if err != nil {
		return Overview{}, err
	}
	if s == nil {
		return Overview{}, notFound(id)
	}
	return s.overview(), nil
}

// overviewBatch is how many checkpoints' states are read before the first is handed
// out.
const overviewBatch = 64

// numbered is a checkpoint of which only the numbers of its states are known.
type numbered struct {
	project, id string
	numbers     []int
}

// Overviews calls fn with the overview of every checkpoint, tombstones too, in the
// order of project and id: of one project, or of all if projectID is "". An error of
// fn ends it. Checkpoints without a valid state are told to invalid, if that is not nil.
func (c *Checkpoints) Overviews(ctx context.Context, projectID string, fn func(Overview) error, invalid func(projectID, id string) error) error {
	prefix := statesRoot
	if projectID != "" {
		if !isPart(projectID) {
			return nil // there can't be any
		}
		prefix += projectID + "/"
	}
	var batch []numbered
	flush := func() error {
		states, err := c.newestOfAll(ctx, batch)
		if err != nil {
			return err
		}
		for i, s := range states {
			if s == nil {
				if invalid == nil {
					continue
				}
				if err := invalid(batch[i].project, batch[i].id); err != nil {
					return err
				}
				continue
			}
			if err := fn(s.overview()); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	err := c.eachStatesUnder(ctx, prefix, func(project, id string, numbers []int) error {
		batch = append(batch, numbered{project, id, numbers})
		if len(batch) < overviewBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// OverviewsAfter calls fn with the overview of every checkpoint behind after, which is the project
// and the id of one with a slash between them, in the order of Overviews; "" is all. What comes
// before costs nothing. Where the newest state can't be read, fn has the error, and an overview with
// only the project and the id; the others are told all the same. One without a valid state has
// no Status. An error of fn, or of listing, ends it.
func (c *Checkpoints) OverviewsAfter(ctx context.Context, after string, fn func(Overview, error) error) error {
	marker := ""
	if after != "" {
		marker = statesRoot + after + "/~" // behind all numbers
	}
	return c.eachStatesAfter(ctx, statesRoot, marker, func(project, id string, numbers []int) error {
		s, err := c.newestOf(ctx, project, id, numbers)
		if s == nil {
			return fn(Overview{ProjectID: project, ID: id}, err)
		}
		return fn(s.overview(), nil)
	})
}

func (c *Checkpoints) newestOfAll(ctx context.Context, of []numbered) ([]*state, error) {
	states := make([]*state, len(of))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, n := range of {
		group.Go(func() (err error) {
			states[i], err = c.newestOf(ctx, n.project, n.id, n.numbers)
			return err
		})
	}
	return states, group.Wait()
}

// ProjectOf finds the project of a checkpoint; karbor.NotFound if no project has one
// of this id. It lists the states of all checkpoints.
func (c *Checkpoints) ProjectOf(ctx context.Context, id string) (string, error) {
	if !karbor.IsUUID(id) {
		return "", notFound(id)
	}
	found := ""
	err := c.eachStatesUnder(ctx, statesRoot, func(project, one string, _ []int) error {
		if one == id {
			found = project
		}
		return nil
	})
	if err == nil && found == "" {
		err = notFound(id)
	}
	return found, err
}

// IndexKeys are the keys of the checkpoint in the indices.
func (o Overview) IndexKeys() []string {
	return indexKeys(&state{ProjectID: o.ProjectID, CheckpointID: o.ID, ProviderID: o.ProviderID, PlanID: o.PlanID, CreatedAt: o.CreatedAt})
}

// ParseIndexKey tells which checkpoint a key of an index is about.
func ParseIndexKey(key string) (projectID, id string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, indicesRoot), "/")
	if !strings.HasPrefix(key, indicesRoot) || len(parts) != 4 {
		return "", "", false
	}
	_, id, ok = parseEntry(parts[3])
	return parts[1], id, ok && isPart(parts[1])
}

// Nodes is where the documents and the bulk data of all nodes of a checkpoint lie: keys
// in it are `<node key>/documents/…` and `<node key>/data/…`.
func (c *Checkpoints) Nodes(projectID, id string) (*bank.Section, error) {
	if err := checkIDs(projectID, id); err != nil {
		return nil, err
	}
	return bank.NewSection(c.bank, strings.TrimSuffix(nodesPrefix(projectID, id), "/"))
}
