package cli

import (
	"strconv"

	"github.com/spf13/pflag"
)

// proofFlags are the members of an operation definition that say what a verify and a copy
// do.
type proofFlags struct {
	provider, order, depth string
	share, checkpoints     int
	targets, checkpointIDs []string
}

func (p *proofFlags) add(f *pflag.FlagSet) {
	f.StringVar(&p.provider, "provider", "", "verify: all your checkpoints at this provider, by name or id, instead of those of a plan")
	f.StringVar(&p.order, "order", "", "verify: which checkpoints first: longest_unverified (unless you say otherwise) or newest")
	f.IntVar(&p.checkpoints, "checkpoints", 0, "verify: how many checkpoints each time; 1 unless you say otherwise")
	f.IntVar(&p.share, "share", 0, "verify: how many of the checkpoints each time, in per cent")
	f.StringVar(&p.depth, "depth", "", "verify: how deep to look: quick, stored or full")
	f.StringArrayVar(&p.targets, "target", nil, "copy: name of a copy target (repeatable); all of them unless you say otherwise")
	f.StringArrayVar(&p.checkpointIDs, "checkpoint", nil, "copy: id of a checkpoint (repeatable); all of the plan unless you say otherwise")
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
