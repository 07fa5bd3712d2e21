package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) drill() *cobra.Command {
	return groupOf("drill", "Restore drills: does a checkpoint restore, and how long does it take",
		a.drillCreate(), a.drillList(), a.drillShow(), a.cancel("drill", "DRILL"), a.drillDelete(),
		a.drillEvidence(), a.drillKeys(), a.drillVerify())
}

func (a *app) drillCreate() *cobra.Command {
	var w waitFlags
	var choice requestFlags
	var probes []string
	cmd := a.command("create [PROVIDER] CHECKPOINT", "Restore a checkpoint for a while, look, and remove everything", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			r := client.DrillRequest{}
			var err error
			if r.Probes, err = parseProbes(probes); err != nil {
				return err
			}
			if r.Mapping, err = choice.mapped(); err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := a.findUsable(ctx, c, args)
			if err != nil {
				return err
			}
			var chosen client.RestoreRequest
			if err := choice.of(&chosen, provider, cp); err != nil {
				return err
			}
			r.ProviderID, r.CheckpointID, r.Resources = provider, cp.ID, chosen.Choices.Resources
			d, err := c.Drills.Create(ctx, r)
			if err != nil {
				return err
			}
			if w.wait {
				a.say("drill %s", d.ID)
				w.own = true
				if d, err = a.awaitDrill(ctx, c, w, d.ID); err != nil {
					return err
				}
			}
			return a.finishDrill(d, w.wait)
		})
	cmd.Long = "Restores a checkpoint into networks of the drill's own, looks at what came of it, measures the time, and removes\n" +
		"everything again. The original is not touched. The drill leaves a signed record: see evidence.\n\n" +
		"Probes: active; console[=PATTERN][,timeout=SECONDS]; volume[,digest=false]; port=NUMBER[,timeout=SECONDS];\n" +
		"command[,timeout=SECONDS]. Without any: active, console and volume."
	f := cmd.Flags()
	w.add(f)
	f.StringArrayVar(&probes, "probe", nil, "a probe to make (repeatable)")
	f.StringArrayVar(&choice.resources, "resource", nil, "TYPE:NAME or TYPE:ID of a resource to restore, with what it needs; all if none is given (repeatable)")
	f.StringArrayVar(&choice.mappings, "map", nil, "KIND:ORIGINAL=OTHER, * for all originals; KIND is flavor, keypair, zone or volume-type (repeatable)")
	return creating(cmd)
}

// parseProbes reads what --probe says: a name, "=" and its main member, and further members
// behind commas. nil is the service's choice.
func parseProbes(texts []string) (map[string]map[string]any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	main := map[string]string{"active": "", "console": "pattern", "volume": "", "port": "port", "command": ""}
	out := map[string]map[string]any{}
	for _, text := range texts {
		head, members, timed := strings.Cut(text, ",timeout=")
		if timed {
			members = "timeout=" + members
		}
		if before, digest, ok := strings.Cut(head, ",digest="); ok && !timed {
			head, members = before, "digest="+digest
		}
		name, value, valued := strings.Cut(head, "=")
		member, known := main[name]
		if !known || valued && member == "" || out[name] != nil {
			return nil, usagef("--probe %s: it is one of active, console, volume, port and command, each once", text)
		}
		probe := map[string]any{}
		if valued {
			probe[member] = value
		}
		if key, value, ok := strings.Cut(members, "="); ok {
			probe[key] = value
		}
		for _, number := range []string{"port", "timeout"} {
			if text, ok := probe[number].(string); ok {
				n, err := strconv.Atoi(text)
				if err != nil {
					return nil, usagef("--probe %s: %s is not a number", text, number)
				}
				probe[number] = n
			}
		}
		if text, ok := probe["digest"].(string); ok {
			yes, err := strconv.ParseBool(text)
			if err != nil {
				return nil, usagef("--probe %s: digest is true or false", text)
			}
			probe["digest"] = yes
		}
		out[name] = probe
	}
	return out, nil
}

// finishDrill prints a drill; one that was waited for and has not passed makes an error.
func (a *app) finishDrill(d client.Drill, waited bool) error {
	shown := d
	if d.Status != karbor.DrillRunning {
		shown.Progress = nil
	}
	if err := a.printer().Show(shown); err != nil {
		return err
	}
	if waited && d.Verdict != karbor.DrillPassed {
		return failure("the drill "+d.ID, string(d.Verdict), map[string]string{"drill": d.Reason}, "karbor drill evidence "+d.ID)
	}
	return nil
}

func (a *app) drillList() *cobra.Command {
	var l listFlags
	var status, verdict, checkpoint, plan string
	cmd := a.command("list", "List drills", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		all, err := collect(c.Drills.List(ctx, l.options(map[string]string{
			"status": status, "verdict": verdict, "checkpoint_id": checkpoint, "plan_id": plan,
		})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "checkpoint_id", "status", "verdict", "recovery_ms", "created_at", "reason")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&status, "status", "", "running, finished or error")
	cmd.Flags().StringVar(&verdict, "verdict", "", "passed, failed or inconclusive")
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "those of a checkpoint, by id")
	cmd.Flags().StringVar(&plan, "plan", "", "those of a plan's checkpoints, by the plan's id")
	return cmd
}

func (a *app) drillShow() *cobra.Command {
	var w waitFlags
	cmd := a.command("show DRILL", "Show a drill", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := mustBeID("drill", args[0]); err != nil {
			return err
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		d, err := c.Drills.Show(ctx, args[0])
		if err == nil && w.wait {
			d, err = a.awaitDrill(ctx, c, w, d.ID)
		}
		if err != nil {
			return err
		}
		return a.finishDrill(d, w.wait)
	})
	w.add(cmd.Flags())
	return cmd
}

func (a *app) drillDelete() *cobra.Command {
	return a.command("delete DRILL...", "Delete drills that are over, with their records", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			for _, id := range args {
				if err := mustBeID("drill", id); err != nil {
					return err
				}
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			for _, id := range args {
				if err := c.Drills.Delete(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
}
