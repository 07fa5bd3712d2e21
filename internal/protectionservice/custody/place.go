package custody

import (
	"encoding/json"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
)

// CopyOf is the member of a copy's extra information that names the checkpoint that it was
// copied from.
const CopyOf = "copy_of"

// located says of a checkpoint that was found in a bank which bank that is, and what it is a
// copy of.
func located(p *provider.Provider, cp karbor.Checkpoint) karbor.Checkpoint {
	if cp.Bank = p.Target; cp.Bank == "" {
		return cp
	}
	var of string
	if err := json.Unmarshal(cp.ExtraInfo[CopyOf], &of); err == nil && karbor.IsUUID(of) {
		cp.CopyOf = of
	}
	return cp
}

// A provider has its own bank, and one for each target that checkpoints are copied to. Each is a
// place: the provider with that bank.

// places gives all places of all providers.
func (k *Keeper) places() []*provider.Provider {
	var out []*provider.Provider
	for _, p := range k.providers {
		out = append(append(out, p), p.Targets()...)
	}
	return out
}
