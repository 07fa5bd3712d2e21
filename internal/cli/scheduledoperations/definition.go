package scheduledoperations

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// definitionFlags are the members of an operation definition, one by one.
type definitionFlags struct {
	plan                string
	maxBackups, keepFor int
	keep                argument.KeepFlags
	proof               proofFlags
}

// add adds the flags.
func (d *definitionFlags) add(s *session.Session, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.plan, "plan", "", "plan, by name or id")
	f.IntVar(&d.maxBackups, "max-backups", 0, "retention_protect: how many checkpoints to keep")
	f.IntVar(&d.keepFor, "retention-duration", 0, "retention_protect: for how many days to keep checkpoints")
	d.keep.Add(f, "retention_protect: ")
	d.proof.add(f)
	s.CompleteFlag(cmd, "plan", lookup.PlanNames)
	s.CompleteFlag(cmd, "provider", lookup.ProviderNames)
}

// read gives the definition of the flags over that of the text key=value,…. The
// provider that is not there is the plan's.
func (d *definitionFlags) read(ctx context.Context, c *client.Client, text string) (karbor.OperationDefinition, error) {
	var out karbor.OperationDefinition
	members := map[string]string{}
	var err error
	if text != "" {
		if members, err = argument.Members(text, append(argument.KeepMembers(), "plan_id", "provider_id", "max_backups", "retention_duration", "order", "share", "checkpoints", "depth")...); err != nil {
			return out, err
		}
	}
	if d.maxBackups != 0 {
		members["max_backups"] = strconv.Itoa(d.maxBackups)
	}
	if d.keepFor != 0 {
		members["retention_duration"] = strconv.Itoa(d.keepFor)
	}
	d.keep.Read(members)
	ref := d.plan
	if ref == "" {
		ref = members["plan_id"]
	}
	d.proof.read(members)
	switch {
	case ref == "" && d.proof.provider == "":
		return out, exit.Usagef("a scheduled operation needs a plan: --plan (a verify and a drill may have --provider instead)")
	case ref == "":
		provider, err := lookup.Provider(ctx, c, d.proof.provider)
		if err != nil {
			return out, err
		}
		members["provider_id"] = provider.ID
	case d.plan != "" || members["provider_id"] == "":
		plan, err := lookup.Plan(ctx, c, ref)
		if err != nil {
			return out, err
		}
		members["plan_id"], members["provider_id"] = plan.ID, plan.ProviderID
	}
	document, err := json.Marshal(members)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(document, &out); err != nil {
		return out, exit.AsUsage(err)
	}
	return out, d.proof.lists(&out)
}

// given reports whether a flag of the definition is set.
func (d *definitionFlags) given() bool {
	members := map[string]string{}
	d.keep.Read(members)
	d.proof.read(members)
	return d.plan != "" || d.maxBackups != 0 || d.keepFor != 0 || len(members) > 0 || d.proof.given()
}
