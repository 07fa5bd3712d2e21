package cli

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// unique finds the one item of that name. None is NotFound; several are a
// usage error that lists their ids.
func unique[T any](what, name string, items iter.Seq2[T, error], of func(T) (id, name string)) (T, error) {
	var found T
	var ids []string
	for item, err := range items {
		if err != nil {
			return found, err
		}
		if id, n := of(item); n == name {
			found = item
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return found, karbor.Errorf(karbor.NotFound, "there is no %s with the name or id %q", what, name)
	case 1:
		return found, nil
	}
	return found, usagef("%d %ss have the name %q: give one of their ids: %s", len(ids), what, name, strings.Join(ids, ", "))
}

// named finds the one item of that name in what list gives. If there is none, the
// error names one of a similar name.
func named[T any](what, name string, list func(client.ListOptions) iter.Seq2[T, error], of func(T) (id, name string)) (T, error) {
	found, err := unique(what, name, list(client.ListOptions{Filters: map[string]string{"name": name}}), of)
	if karbor.KindOf(err) != karbor.NotFound || isUsage(err) {
		return found, err
	}
	var others []string
	for item, listErr := range list(client.ListOptions{Limit: manyNames}) {
		if listErr != nil {
			break
		}
		_, n := of(item)
		others = append(others, n)
	}
	if near := nearest(name, others); near != "" {
		return found, karbor.Errorf(karbor.NotFound, "%w; did you mean %q?", err, near)
	}
	return found, karbor.Errorf(karbor.NotFound, "%w; see: karbor %s list", err, strings.ReplaceAll(what, " ", ""))
}

// manyNames is among how many names a similar one is looked for.
const manyNames = 200

// nearest gives the word that is most like word, or "" if none is.
func nearest(word string, among []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, other := range among {
		d := distance(strings.ToLower(word), strings.ToLower(other))
		if len(word) > 2 && other != "" && strings.HasPrefix(strings.ToLower(other), strings.ToLower(word)) {
			d = 1
		}
		if d < least {
			best, least = other, d
		}
	}
	return best
}

// distance counts the bytes to change, add, remove or swap with their neighbours
// between two words.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			if i == 0 || j == 0 {
				d[i][j] = i + j
				continue
			}
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// byIDOrName gets an item by its id, or else by its name.
func byIDOrName[T any](ref string, show func() (T, error), byName func() (T, error)) (T, error) {
	if karbor.IsUUID(ref) {
		item, err := show()
		if karbor.KindOf(err) != karbor.NotFound {
			return item, err
		}
		// A UUID may be a name, too; but the first error says more.
		if named, nameErr := byName(); nameErr == nil {
			return named, nil
		}
		return item, err
	}
	return byName()
}

func (a *app) findPlan(ctx context.Context, c *client.Client, ref string) (client.Plan, error) {
	return byIDOrName(ref,
		func() (client.Plan, error) { return c.Plans.Show(ctx, ref) },
		func() (client.Plan, error) {
			list := func(o client.ListOptions) iter.Seq2[client.Plan, error] { return c.Plans.List(ctx, o) }
			return named("plan", ref, list, func(p client.Plan) (string, string) { return p.ID, p.Name })
		})
}

func (a *app) findProvider(ctx context.Context, c *client.Client, ref string) (client.Provider, error) {
	return byIDOrName(ref,
		func() (client.Provider, error) { return c.Providers.Show(ctx, ref) },
		func() (client.Provider, error) {
			list := func(o client.ListOptions) iter.Seq2[client.Provider, error] { return c.Providers.List(ctx, o) }
			return named("provider", ref, list, func(p client.Provider) (string, string) { return p.ID, p.Name })
		})
}

// providerID gives the id of a provider, without asking the service where ref
// is an id already.
func (a *app) providerID(ctx context.Context, c *client.Client, ref string) (string, error) {
	if karbor.IsUUID(ref) {
		return ref, nil
	}
	p, err := a.findProvider(ctx, c, ref)
	return p.ID, err
}

// mustBeID refuses what can't be the id of a thing that has no name.
func mustBeID(what, ref string) error {
	if karbor.IsUUID(ref) {
		return nil
	}
	return karbor.Errorf(karbor.NotFound, "there is no %s with the id %q, which is not a UUID", what, ref)
}

// findCheckpoint gets the checkpoint of [PROVIDER] CHECKPOINT. Without a
// provider, all of them are asked.
func (a *app) findCheckpoint(ctx context.Context, c *client.Client, args []string) (string, client.Checkpoint, error) {
	if err := mustBeID("checkpoint", args[len(args)-1]); err != nil {
		return "", client.Checkpoint{}, err
	}
	if len(args) == 2 {
		provider, err := a.providerID(ctx, c, args[0])
		if err != nil {
			return "", client.Checkpoint{}, err
		}
		cp, err := c.Checkpoints.Show(ctx, provider, args[1])
		return provider, cp, err
	}
	for p, err := range c.Providers.List(ctx, client.ListOptions{}) {
		if err != nil {
			return "", client.Checkpoint{}, err
		}
		cp, err := c.Checkpoints.Show(ctx, p.ID, args[0])
		if karbor.KindOf(err) != karbor.NotFound {
			return p.ID, cp, err
		}
	}
	return "", client.Checkpoint{}, karbor.Errorf(karbor.NotFound, "no provider has a checkpoint %s", args[0])
}

// findUsable is findCheckpoint of one that may be gone: if a provider is given, the
// service is asked all the same, as a copy may stand in.
func (a *app) findUsable(ctx context.Context, c *client.Client, args []string) (string, client.Checkpoint, error) {
	provider, cp, err := a.findCheckpoint(ctx, c, args)
	if provider != "" && karbor.KindOf(err) == karbor.NotFound {
		return provider, client.Checkpoint{ID: args[len(args)-1]}, nil
	}
	return provider, cp, err
}

// resourceType understands a type's full name and its short word.
func resourceType(text string) (karbor.ResourceType, error) {
	var words []string
	for _, t := range karbor.ResourceTypes() {
		if text == string(t) || strings.EqualFold(text, t.Word()) {
			return t, nil
		}
		words = append(words, t.Word())
	}
	return "", usagef("%q is no resource type; there are %s, or the full names such as %s", text, strings.Join(words, ", "), karbor.ServerType)
}

// findInstance finds a resource in the cloud by id or name.
func (a *app) findInstance(ctx context.Context, c *client.Client, t karbor.ResourceType, ref string) (client.Instance, error) {
	if karbor.IsResourceID(ref) {
		i, err := c.Protectables.Instance(ctx, t, ref, nil)
		switch karbor.KindOf(err) {
		case karbor.NotFound, karbor.Invalid:
		default:
			return i, err
		}
	}
	var names []string
	all := func(yield func(client.Instance, error) bool) {
		for i, err := range c.Protectables.Instances(ctx, t, nil, client.ListOptions{}) {
			names = append(names, i.Name)
			if !yield(i, err) {
				return
			}
		}
	}
	i, err := unique(t.Word(), ref, all, func(i client.Instance) (string, string) { return i.ID, i.Name })
	if near := nearest(ref, names); karbor.KindOf(err) == karbor.NotFound && near != "" {
		return i, karbor.Errorf(karbor.NotFound, "%w; did you mean %q?", err, near)
	}
	if err != nil {
		return i, fmt.Errorf("looking for the %s %q: %w", t.Word(), ref, err)
	}
	return i, nil
}
