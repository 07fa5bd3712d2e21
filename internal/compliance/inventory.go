package compliance

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable"
)

const (
	// maxResources bounds the resources of one report, and maxOfType those of one type.
	maxResources = 10_000
	maxOfType    = 5_000
	// listPage is how many resources are asked for at a time.
	listPage = 500
	// listPatience is how long all resources of one type may take.
	listPatience = time.Minute
	// listAtOnce bounds the types that are listed at a time.
	listAtOnce = 4
)

// inventory is what a project has, as its services tell.
type inventory struct {
	project   string
	states    []TypeState
	resources []karbor.Resource
	// place finds a resource by its key.
	place map[string]int
	// whole are the types of which all is known.
	whole map[karbor.ResourceType]bool
}

// has reports whether there is a resource of a key.
func (v *inventory) has(key string) bool {
	_, ok := v.place[key]
	return ok
}

// isContainer reports whether a resource stands for others: the project, and the topology of
// its networks. It is no row of a report: those are.
func (v *inventory) isContainer(r karbor.Resource) bool {
	return r.Type == karbor.ProjectType || r.ID == v.project
}

// topology is the key of the topology of all networks of the project.
func (v *inventory) topology() string {
	return karbor.Resource{Type: karbor.NetworkType, ID: v.project}.Key()
}

// take lists what the project has. A type whose list can't be had is told by its state; the
// error is only the end of the context.
func (r *Reporter) take(ctx context.Context, cloud karbor.Cloud) (*inventory, error) {
	lists := make([][]karbor.Resource, len(r.finders))
	states := make([]TypeState, len(r.finders))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(listAtOnce)
	for i, f := range r.finders {
		group.Go(func() error {
			lists[i], states[i] = listType(inner, cloud, f)
			return nil
		})
	}
	_ = group.Wait() // none fails
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("listing the resources of project %s: %w", cloud.ProjectID(), err)
	}
	v := &inventory{project: cloud.ProjectID(), states: states, place: map[string]int{}, whole: map[karbor.ResourceType]bool{}}
	for i := range states {
		state := &states[i]
		count := 0
		for _, one := range lists[i] {
			if v.isContainer(one) || v.has(one.Key()) {
				continue
			}
			if len(v.resources) >= maxResources {
				*state = tooMany(state.Type)
				break
			}
			count++
			v.place[one.Key()] = len(v.resources)
			v.resources = append(v.resources, one)
		}
		state.Count = count
		v.whole[state.Type] = state.State == Listed
	}
	return v, nil
}

// listType lists the resources of one type, page by page.
func listType(ctx context.Context, cloud karbor.Cloud, f protectable.Plugin) ([]karbor.Resource, TypeState) {
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	var out []karbor.Resource
	for q := (protectable.Query{Limit: listPage}); ; {
		page, err := f.List(ctx, cloud, q)
		if err != nil {
			state := TypeState{Type: f.Type(), State: Failed, Reason: karbor.Sentence(err)}
			if karbor.KindOf(err) == karbor.NotImplemented {
				state.State = Absent
			}
			return nil, state
		}
		out = append(out, page...)
		switch {
		case len(page) < listPage:
			return out, TypeState{Type: f.Type(), State: Listed}
		case len(out) >= maxOfType+listPage:
			return out[:maxOfType], tooMany(f.Type())
		}
		q.Marker = page[len(page)-1].ID
	}
}

// tooMany is the state of a type of which there are more than a report takes.
func tooMany(t karbor.ResourceType) TypeState {
	return TypeState{Type: t, State: Partial, Reason: fmt.Sprintf(
		"there are more: a report takes %d resources of one type, and %d in all", maxOfType, maxResources)}
}
