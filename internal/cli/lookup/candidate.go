package lookup

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
)

// candidateItems bounds how many words of a list a shell shows when it completes one.
const candidateItems = 100

// Candidates gives what may stand at a place of the command line, each as the shell
// wants it: the word, and behind a tab what it is. before are the arguments before it.
type Candidates func(ctx context.Context, c *client.Client, before []string) ([]string, error)

// words makes candidates of a list. of gives a word, and what it is.
func words[T any](items iter.Seq2[T, error], of func(T) (word, what string)) ([]string, error) {
	var all []string
	for item, err := range items {
		if err != nil {
			return all, err
		}
		word, what := of(item)
		if word != "" {
			all = append(all, strings.TrimSuffix(word+"\t"+what, "\t"))
		}
	}
	return all, nil
}

var someItems = client.ListOptions{Limit: candidateItems}

// PlanNames are the names of plans.
func PlanNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Plans.List(ctx, someItems), func(p client.Plan) (string, string) { return p.Name, p.Description })
}

// ProviderNames are the names of providers.
func ProviderNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Providers.List(ctx, someItems), func(p client.Provider) (string, string) { return p.Name, p.Description })
}

// TriggerNames are the names of triggers.
func TriggerNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Triggers.List(ctx, someItems), func(t client.Trigger) (string, string) { return t.Name, t.Properties.Pattern })
}

// ScheduledOperationNames are the names of scheduled operations.
func ScheduledOperationNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.ScheduledOperations.List(ctx, someItems), func(o client.ScheduledOperation) (string, string) {
		return o.Name, string(o.OperationType)
	})
}

// RestoreIDs are the ids of restores.
func RestoreIDs(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Restores.List(ctx, someItems), func(r client.Restore) (string, string) { return r.ID, string(r.Status) })
}

// CheckpointIDs are the ids of the checkpoints of the provider that stands before, or of all.
func CheckpointIDs(ctx context.Context, c *client.Client, before []string) ([]string, error) {
	var providers []string
	if len(before) > 0 {
		id, err := ProviderID(ctx, c, before[0])
		if err != nil {
			return nil, err
		}
		providers = append(providers, id)
	} else {
		for p, err := range c.Providers.List(ctx, someItems) {
			if err != nil {
				return nil, err
			}
			providers = append(providers, p.ID)
		}
	}
	var all []string
	for _, id := range providers {
		some, err := words(c.Checkpoints.List(ctx, id, someItems), func(cp client.Checkpoint) (string, string) {
			return cp.ID, fmt.Sprintf("%s %s %s", cp.ProtectionPlan.Name, cp.CreatedAt, cp.Status)
		})
		all = append(all, some...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// Either gives both of what may stand at a place.
func Either(some ...Candidates) Candidates {
	return func(ctx context.Context, c *client.Client, before []string) ([]string, error) {
		var all []string
		for _, of := range some {
			found, err := of(ctx, c, before)
			all = append(all, found...)
			if err != nil {
				return all, err
			}
		}
		return all, nil
	}
}

// ResourceTypes are the short words for the types of resources.
func ResourceTypes(context.Context, *client.Client, []string) ([]string, error) {
	var all []string
	for _, t := range karbor.ResourceTypes() {
		all = append(all, t.Word()+"\t"+string(t))
	}
	return all, nil
}

// ScheduledTypes are the types of scheduled operations.
func ScheduledTypes(context.Context, *client.Client, []string) ([]string, error) {
	return []string{string(karbor.ScheduledProtect), string(karbor.ScheduledRetention), string(karbor.ScheduledVerify),
		string(karbor.ScheduledCopy), string(karbor.ScheduledDrill)}, nil
}

// InstanceNames are the names of the resources of the type that stands before.
func InstanceNames(ctx context.Context, c *client.Client, before []string) ([]string, error) {
	t, err := argument.Type(before[0])
	if err != nil {
		return nil, err
	}
	return words(c.Protectables.Instances(ctx, t, nil, someItems), func(i client.Instance) (string, string) { return i.Name, i.ID })
}
