package checkpoint

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Filter chooses the checkpoints of a List. Zero members choose all.
type Filter struct {
	ProviderID, PlanID string
	// StartDate and EndDate choose those created at or after StartDate and
	// before EndDate.
	StartDate, EndDate time.Time
}

// Page is a part of a List.
type Page struct {
	Checkpoints []karbor.Checkpoint
	// Unread says, by id, why only what lies in the clear is known of some of them:
	// *DamageError or *ClosedError.
	Unread map[string]error
	// Next is the marker that goes on after this page; "" at the end.
	Next string
}

// readers is how many checkpoints of a page are read at once.
const readers = 8

// List gives up to limit checkpoints of a project, oldest first, after marker,
// which is the Next of an earlier page or "". It costs one listing of an index
// for each page of candidates, and reads each candidate. A checkpoint whose
// indices are not yet written, or already removed, is not in it. Of one that can't be
// read it has what lies in the clear, and Page.Unread says why. limit is 1 to
// bank.MaxList.
func (c *Checkpoints) List(ctx context.Context, projectID string, f Filter, marker string, limit int) (Page, error) {
	if err := bank.CheckLimit(limit); err != nil {
		return Page{}, err
	}
	if !isPart(projectID) || f.PlanID != "" && !isPart(f.PlanID) || f.ProviderID != "" && !isPart(f.ProviderID) {
		return Page{}, nil // there can't be any
	}
	if marker != "" {
		if _, _, ok := parseEntry(marker); !ok {
			return Page{}, karbor.Errorf(karbor.Invalid, "%q is not a marker of a list of checkpoints", marker)
		}
	}
	page := Page{Next: marker}
	for {
		entries, more, err := c.entries(ctx, projectID, f, page.Next, limit)
		if err != nil {
			return Page{}, err
		}
		all, err := c.loadAll(ctx, projectID, entries)
		if err != nil {
			return Page{}, err
		}
		for i, cp := range all {
			page.Next = entries[i]
			if cp == nil || !f.chooses(cp) {
				continue
			}
			page.add(cp)
			if len(page.Checkpoints) == limit {
				if i == len(all)-1 && !more {
					page.Next = ""
				}
				return page, nil
			}
		}
		if !more {
			page.Next = ""
			return page, nil
		}
	}
}

// found is a checkpoint, and why it is not all known.
type found struct {
	karbor.Checkpoint
	unread error
}

func (p *Page) add(cp *found) {
	p.Checkpoints = append(p.Checkpoints, cp.Checkpoint)
	if cp.unread == nil {
		return
	}
	if p.Unread == nil {
		p.Unread = map[string]error{}
	}
	p.Unread[cp.ID] = cp.unread
}

func (f Filter) chooses(cp *found) bool {
	return (f.ProviderID == "" || f.ProviderID == cp.ProviderID) && (f.PlanID == "" || f.PlanID == cp.Plan.ID)
}

// entries gives up to limit entries of the index that fits the filter best, and
// whether there may be more.
func (c *Checkpoints) entries(ctx context.Context, project string, f Filter, marker string, limit int) ([]string, bool, error) {
	prefix, byDate := indicesRoot, false
	switch {
	case f.PlanID != "":
		prefix += "by-plan/" + project + "/" + f.PlanID + "/"
	case f.ProviderID != "":
		prefix += "by-provider/" + project + "/" + f.ProviderID + "/"
	default:
		prefix, byDate = prefix+"by-date/"+project+"/", true
	}
	from := marker
	if start := stamp(f.StartDate); !f.StartDate.IsZero() && start > from {
		from = start // comes before every entry of that time
	}
	if from != "" {
		if byDate {
			at, _, _ := strings.Cut(from, "T")
			from = at[:4] + "-" + at[4:6] + "-" + at[6:] + "/" + from
		}
		from = prefix + from
	}
	for {
		infos, err := c.bank.List(ctx, prefix, from, limit)
		if err != nil {
			return nil, false, err
		}
		var out []string
		for _, i := range infos {
			from = i.Key
			last := i.Key[strings.LastIndexByte(i.Key, '/')+1:]
			created, _, ok := parseEntry(last)
			if !ok {
				continue
			}
			if !f.EndDate.IsZero() && !created.Before(f.EndDate) {
				return out, false, nil
			}
			out = append(out, last)
		}
		more := len(infos) == limit
		if len(out) > 0 || !more { // else the page held only what isn't ours
			return out, more, nil
		}
	}
}

// loadAll reads the checkpoints of index entries; those that are gone are nil.
func (c *Checkpoints) loadAll(ctx context.Context, project string, entries []string) ([]*found, error) {
	out := make([]*found, len(entries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, e := range entries {
		group.Go(func() error {
			_, id, _ := parseEntry(e)
			cp, err := c.Get(ctx, project, id)
			switch {
			case err == nil || isUnread(err):
				out[i] = &found{cp, err}
			case karbor.KindOf(err) != karbor.NotFound:
				return err
			}
			return nil
		})
	}
	return out, group.Wait()
}

// Scan calls fn with every checkpoint of every project that is not deleted, in
// the order of project and id, without using the indices. An error of fn ends it. One
// that can't be read is told to unread, if that is not nil, and passed over.
func (c *Checkpoints) Scan(ctx context.Context, fn func(karbor.Checkpoint) error, unread Unread) error {
	return c.eachStates(ctx, func(project, id string, numbers []int) error {
		s, err := c.newestOf(ctx, project, id, numbers)
		if err != nil || s == nil || s.Status == karbor.CheckpointDeleted {
			return err
		}
		cp, err := c.load(ctx, s)
		if karbor.KindOf(err) == karbor.NotFound {
			return nil // purged while we were looking
		}
		if err != nil {
			return skip(cp, err, unread)
		}
		return fn(cp)
	})
}

// eachStates calls fn with each checkpoint's sequence numbers, ascending.
func (c *Checkpoints) eachStates(ctx context.Context, fn func(project, id string, numbers []int) error) error {
	return c.eachStatesUnder(ctx, statesRoot, fn)
}

// eachStatesUnder is eachStates for the states below a prefix, such as a project's.
func (c *Checkpoints) eachStatesUnder(ctx context.Context, prefix string, fn func(project, id string, numbers []int) error) error {
	return c.eachStatesAfter(ctx, prefix, "", fn)
}

// eachStatesAfter is eachStatesUnder for the keys behind a marker.
func (c *Checkpoints) eachStatesAfter(ctx context.Context, prefix, marker string, fn func(project, id string, numbers []int) error) error {
	return c.eachStateInfo(ctx, prefix, marker, func(project, id string, states []stateInfo) error {
		numbers := make([]int, len(states))
		for i, s := range states {
			numbers[i] = s.number
		}
		return fn(project, id, numbers)
	})
}

// stateInfo is what a listing tells of one state.
type stateInfo struct {
	number int
	bank.Info
}

// eachStateInfo is eachStatesAfter with all that the listing tells. What fn is given is not its own.
func (c *Checkpoints) eachStateInfo(ctx context.Context, prefix, marker string, fn func(project, id string, states []stateInfo) error) error {
	var project, id string
	var states []stateInfo
	flush := func() error {
		if len(states) == 0 {
			return nil
		}
		all := states
		states = states[:0]
		return fn(project, id, all)
	}
	err := eachInfoAfter(ctx, c.bank, prefix, marker, func(i bank.Info) error {
		parts := strings.Split(strings.TrimPrefix(i.Key, statesRoot), "/")
		if len(parts) != 3 || checkIDs(parts[0], parts[1]) != nil {
			return nil
		}
		n, ok := parseSequence(parts[2])
		if !ok {
			return nil
		}
		if parts[0] != project || parts[1] != id {
			if err := flush(); err != nil {
				return err
			}
			project, id = parts[0], parts[1]
		}
		states = append(states, stateInfo{n, i})
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
