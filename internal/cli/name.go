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
			all := c.Plans.List(ctx, client.ListOptions{Filters: map[string]string{"name": ref}})
			return unique("plan", ref, all, func(p client.Plan) (string, string) { return p.ID, p.Name })
		})
}

func (a *app) findProvider(ctx context.Context, c *client.Client, ref string) (client.Provider, error) {
	return byIDOrName(ref,
		func() (client.Provider, error) { return c.Providers.Show(ctx, ref) },
		func() (client.Provider, error) {
			all := c.Providers.List(ctx, client.ListOptions{})
			return unique("provider", ref, all, func(p client.Provider) (string, string) { return p.ID, p.Name })
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
	all := c.Protectables.Instances(ctx, t, nil, client.ListOptions{})
	i, err := unique(t.Word(), ref, all, func(i client.Instance) (string, string) { return i.ID, i.Name })
	if err != nil {
		return i, fmt.Errorf("looking for the %s %q: %w", t.Word(), ref, err)
	}
	return i, nil
}
