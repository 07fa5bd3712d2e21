package cli

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// Bounds of what a shell waits for and shows when it completes a name.
const (
	completionTime  = 3 * time.Second
	completionItems = 100
)

// candidates gives what may stand at a place of the command line, each as the shell
// wants it: the word, and behind a tab what it is.
type candidates func(ctx context.Context, c *client.Client, before []string) ([]string, error)

// places are what may stand at the places of a command's arguments; the last again and
// again if more is set.
type places struct {
	more bool
	of   []candidates
}

// arguments are the places by the command's path below karbor.
func (a *app) arguments() map[string]places {
	one := func(of ...candidates) places { return places{of: of} }
	many := func(of ...candidates) places { return places{more: true, of: of} }
	checkpoint := one(either(a.checkpointIDs, providerNames), a.checkpointIDs)
	plan := one(either(planNames, providerNames), planNames)
	return map[string]places{
		"plan create": one(nil, providerNames), "plan show": one(planNames), "plan update": one(planNames),
		"plan delete": many(planNames), "plan graph": one(planNames),
		"provider show":    one(providerNames),
		"protectable show": one(resourceTypes), "protectable instances": one(resourceTypes),
		"protectable instance list": one(resourceTypes), "protectable instance show": one(resourceTypes, instanceNames),
		"checkpoint create": plan, "checkpoint list": one(providerNames), "checkpoint show": checkpoint,
		"checkpoint delete": many(providerNames, a.checkpointIDs), "checkpoint reset-state": many(providerNames, a.checkpointIDs),
		"restore create": checkpoint, "restore check": checkpoint, "restore show": one(restoreIDs), "restore cancel": one(restoreIDs), "verification create": checkpoint,
		"copy create": plan, "copy list": one(providerNames), "copy show": one(providerNames),
		"trigger show": one(triggerNames), "trigger update": one(triggerNames), "trigger delete": many(triggerNames),
		"scheduledoperation create": one(nil, scheduledTypes, triggerNames),
		"scheduledoperation show":   one(scheduledOperationNames), "scheduledoperation delete": many(scheduledOperationNames),
		"scheduledoperation update": one(scheduledOperationNames), "scheduledoperation enable": one(scheduledOperationNames),
		"scheduledoperation disable": one(scheduledOperationNames), "scheduledoperation pause": one(scheduledOperationNames),
		"scheduledoperation resume": one(scheduledOperationNames), "scheduledoperation run": one(scheduledOperationNames),
		"scheduledoperation skip": one(scheduledOperationNames), "scheduledoperation log": one(scheduledOperationNames),
	}
}

// complete gives each command below c what may stand at its arguments' places.
func (a *app) complete(c *cobra.Command, all map[string]places) {
	for _, sub := range c.Commands() {
		p := all[strings.TrimPrefix(sub.CommandPath(), "karbor ")]
		sub.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			place := len(args)
			if p.more {
				place = min(place, len(p.of)-1)
			}
			if place >= len(p.of) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.offer(cmd.Context(), p.of[place], args), cobra.ShellCompDirectiveNoFileComp
		}
		a.complete(sub, all)
	}
}

// flag completes the values of a flag.
func (a *app) flag(cmd *cobra.Command, name string, of candidates) {
	// The flag is there: it was defined just now.
	_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.offer(cmd.Context(), of, args), cobra.ShellCompDirectiveNoFileComp
	})
}

// offer asks the service, for a short time. Whoever presses a key wants no error.
func (a *app) offer(ctx context.Context, of candidates, before []string) []string {
	if ctx == nil || of == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	a.global.request = completionTime
	c, err := a.connect(ctx)
	if err != nil {
		return nil
	}
	words, _ := of(ctx, c, before)
	return words
}

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

var someItems = client.ListOptions{Limit: completionItems}

func planNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Plans.List(ctx, someItems), func(p client.Plan) (string, string) { return p.Name, p.Description })
}

func providerNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Providers.List(ctx, someItems), func(p client.Provider) (string, string) { return p.Name, p.Description })
}

func triggerNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Triggers.List(ctx, someItems), func(t client.Trigger) (string, string) { return t.Name, t.Properties.Pattern })
}

func scheduledOperationNames(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.ScheduledOperations.List(ctx, someItems), func(o client.ScheduledOperation) (string, string) {
		return o.Name, string(o.OperationType)
	})
}

func restoreIDs(ctx context.Context, c *client.Client, _ []string) ([]string, error) {
	return words(c.Restores.List(ctx, someItems), func(r client.Restore) (string, string) { return r.ID, string(r.Status) })
}

// checkpointIDs gives those of the provider that stands before, or of all.
func (a *app) checkpointIDs(ctx context.Context, c *client.Client, before []string) ([]string, error) {
	var providers []string
	if len(before) > 0 {
		id, err := a.providerID(ctx, c, before[0])
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

// either gives both of what may stand at a place.
func either(some ...candidates) candidates {
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

// fixed gives words that need no service.
func fixed[T ~string](all ...T) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		out := make([]string, 0, len(all))
		for _, w := range all {
			out = append(out, string(w))
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func resourceTypes(context.Context, *client.Client, []string) ([]string, error) {
	var all []string
	for _, t := range karbor.ResourceTypes() {
		all = append(all, t.Word()+"\t"+string(t))
	}
	return all, nil
}

func scheduledTypes(context.Context, *client.Client, []string) ([]string, error) {
	return []string{string(karbor.ScheduledProtect), string(karbor.ScheduledRetention)}, nil
}

func instanceNames(ctx context.Context, c *client.Client, before []string) ([]string, error) {
	t, err := resourceType(before[0])
	if err != nil {
		return nil, err
	}
	return words(c.Protectables.Instances(ctx, t, nil, someItems), func(i client.Instance) (string, string) { return i.Name, i.ID })
}

// completion replaces cobra's command by one that says how to install the script.
func completion(root *cobra.Command) *cobra.Command {
	group := groupOf("completion", "Write a completion script for a shell")
	for _, shell := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"bash", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"zsh", root.GenZshCompletion},
		{"fish", func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
		{"powershell", root.GenPowerShellCompletionWithDesc},
	} {
		group.AddCommand(&cobra.Command{
			Use: shell.name, Short: "Write the script for " + shell.name, Args: cobra.NoArgs,
			Long: "Writes the completion script for " + shell.name + ` to standard output. Names of plans,
providers, triggers and checkpoints are completed too, by asking the service with
the login of the shell's environment.`,
			RunE: func(cmd *cobra.Command, _ []string) error { return shell.write(cmd.OutOrStdout()) },
		})
	}
	return group
}
