package lookup

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// Plan finds a plan by its id or name.
func Plan(ctx context.Context, c *client.Client, ref string) (client.Plan, error) {
	return find(ctx, "plan", ref, c.Plans.Show, c.Plans.List, func(p client.Plan) (string, string) { return p.ID, p.Name })
}

// PlanID gives the id of a plan, without asking the service where ref is an id already.
func PlanID(ctx context.Context, c *client.Client, ref string) (string, error) {
	if karbor.IsUUID(ref) {
		return ref, nil
	}
	p, err := Plan(ctx, c, ref)
	return p.ID, err
}

// Provider finds a provider by its id or name.
func Provider(ctx context.Context, c *client.Client, ref string) (client.Provider, error) {
	return find(ctx, "provider", ref, c.Providers.Show, c.Providers.List, func(p client.Provider) (string, string) { return p.ID, p.Name })
}

// ProviderID gives the id of a provider, without asking the service where ref is an id
// already.
func ProviderID(ctx context.Context, c *client.Client, ref string) (string, error) {
	if karbor.IsUUID(ref) {
		return ref, nil
	}
	p, err := Provider(ctx, c, ref)
	return p.ID, err
}

// Planned finds the plan of [PROVIDER] PLAN, and gives the id of the provider: the plan's
// own if none is given.
func Planned(ctx context.Context, c *client.Client, args []string) (provider string, plan client.Plan, err error) {
	if plan, err = Plan(ctx, c, args[len(args)-1]); err != nil {
		return "", plan, err
	}
	if len(args) == 1 {
		return plan.ProviderID, plan, nil
	}
	provider, err = ProviderID(ctx, c, args[0])
	return provider, plan, err
}

// Trigger finds a trigger by its id or name.
func Trigger(ctx context.Context, c *client.Client, ref string) (client.Trigger, error) {
	return find(ctx, "trigger", ref, c.Triggers.Show, c.Triggers.List, func(t client.Trigger) (string, string) { return t.ID, t.Name })
}

// TriggerID gives the id of a trigger that is there.
func TriggerID(ctx context.Context, c *client.Client, ref string) (string, error) {
	t, err := Trigger(ctx, c, ref)
	return t.ID, err
}

// ScheduledOperation finds a scheduled operation by its id or name.
func ScheduledOperation(ctx context.Context, c *client.Client, ref string) (client.ScheduledOperation, error) {
	return find(ctx, "scheduled operation", ref, c.ScheduledOperations.Show, c.ScheduledOperations.List,
		func(o client.ScheduledOperation) (string, string) { return o.ID, o.Name })
}

// MappingProfile finds a mapping profile by its id or name.
func MappingProfile(ctx context.Context, c *client.Client, ref string) (client.MappingProfile, error) {
	return find(ctx, "mapping profile", ref, c.MappingProfiles.Show, c.MappingProfiles.List,
		func(p client.MappingProfile) (string, string) { return p.ID, p.Name })
}

// Checkpoint gets the checkpoint of [PROVIDER] CHECKPOINT. Without a
// provider, all of them are asked.
func Checkpoint(ctx context.Context, c *client.Client, args []string) (string, client.Checkpoint, error) {
	if err := MustBeID("checkpoint", args[len(args)-1]); err != nil {
		return "", client.Checkpoint{}, err
	}
	if len(args) == 2 {
		provider, err := ProviderID(ctx, c, args[0])
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

// Usable is Checkpoint of one that may be gone: if a provider is given, the
// service is asked all the same, as a copy may stand in.
func Usable(ctx context.Context, c *client.Client, args []string) (string, client.Checkpoint, error) {
	provider, cp, err := Checkpoint(ctx, c, args)
	if provider != "" && karbor.KindOf(err) == karbor.NotFound {
		return provider, client.Checkpoint{ID: args[len(args)-1]}, nil
	}
	return provider, cp, err
}

// Instance finds a resource in the cloud by id or name.
func Instance(ctx context.Context, c *client.Client, t karbor.ResourceType, ref string) (client.Instance, error) {
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
	if near := Nearest(ref, names); karbor.KindOf(err) == karbor.NotFound && near != "" {
		return i, karbor.Errorf(karbor.NotFound, "%w; did you mean %q?", err, near)
	}
	if err != nil {
		return i, fmt.Errorf("looking for the %s %q: %w", t.Word(), ref, err)
	}
	return i, nil
}
