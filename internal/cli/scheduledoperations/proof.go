package scheduledoperations

import (
	"encoding/json"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/argument"
)

// proofFlags are the members of an operation definition that say what a verify and a copy
// do.
type proofFlags struct {
	provider, order, depth string
	share, checkpoints     int
	targets, checkpointIDs []string
	probes                 []string
}

func (p *proofFlags) add(f *pflag.FlagSet) {
	f.StringVar(&p.provider, "provider", "", "verify, drill: all your checkpoints at this provider, by name or id, instead of those of a plan")
	f.StringVar(&p.order, "order", "", "verify, drill: which checkpoints first: newest (what a drill takes), longest_unverified (what a verify takes) or longest_undrilled (what a drill with --share takes)")
	f.IntVar(&p.checkpoints, "checkpoints", 0, "verify, drill: how many checkpoints each time; 1 unless you say otherwise")
	f.IntVar(&p.share, "share", 0, "verify, drill: how many of the checkpoints each day, in per cent, spread over its runs")
	f.StringVar(&p.depth, "depth", "", "verify: how deep to look: quick, stored or full")
	f.StringArrayVar(&p.targets, "target", nil, "copy: name of a copy target (repeatable); all of them unless you say otherwise")
	f.StringArrayVar(&p.checkpointIDs, "checkpoint", nil, "copy: id of a checkpoint (repeatable); all of the plan unless you say otherwise")
	f.StringArrayVar(&p.probes, "probe", nil, "drill: a probe to make, as of karbor drill create (repeatable)")
}

// read puts what is set, and is no list, into a definition.
func (p *proofFlags) read(members map[string]string) {
	for name, value := range map[string]string{"order": p.order, "depth": p.depth} {
		if value != "" {
			members[name] = value
		}
	}
	for name, value := range map[string]int{"share": p.share, "checkpoints": p.checkpoints} {
		if value != 0 {
			members[name] = strconv.Itoa(value)
		}
	}
}

// lists puts what is a list into a definition.
func (p *proofFlags) lists(d *karbor.OperationDefinition) error {
	d.Targets, d.CheckpointIDs = p.targets, p.checkpointIDs
	probes, err := argument.Probes(p.probes)
	if err != nil || probes == nil {
		return err
	}
	text, err := json.Marshal(probes)
	if err != nil {
		return err
	}
	d.Probes = &karbor.DrillProbes{}
	return json.Unmarshal(text, d.Probes)
}

// given reports whether a list is set.
func (p *proofFlags) given() bool { return len(p.targets)+len(p.checkpointIDs)+len(p.probes) > 0 }
