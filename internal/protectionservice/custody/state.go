package custody

import (
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
)

// bankState is how far the service is with the bank of a provider.
type bankState struct {
	// leased and filled say that the lease was taken, and that the catalogue has all
	// that the bank holds.
	leased, filled bool
	// trouble is the last thing that went wrong, nil when all is well.
	trouble error
}

func (k *Keeper) bankOf(p *provider.Provider) bankState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.banks[p]
}

func (k *Keeper) changeBank(p *provider.Provider, change func(*bankState)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := k.banks[p]
	change(&state)
	k.banks[p] = state
}

// Usable reports, as a transient karbor.Unavailable, why the checkpoints of a provider
// can't be changed now.
func (k *Keeper) Usable(p *provider.Provider) error {
	if k.front {
		return nil // the process that does the work finds out
	}
	state := k.bankOf(p)
	err := p.Checkpoints().Lease().Valid()
	switch {
	case err == nil && state.filled:
		return nil
	case state.trouble != nil:
		err = state.trouble
	case err == nil:
		err = errors.New("its bank is being looked through")
	}
	return &karbor.Error{
		Kind: karbor.Unavailable, Message: fmt.Sprintf("provider %s can't be used now: %s", p.Place(), Reason(err)),
		Transient: true, Cause: err,
	}
}

// Readable is Usable for what only reads a checkpoint: a bank that is full does not
// keep anybody from that.
func (k *Keeper) Readable(p *provider.Provider) error {
	if k.front {
		return nil
	}
	state := k.bankOf(p)
	if state.leased || state.trouble == nil || karbor.KindOf(state.trouble) == karbor.OverLimit {
		return nil
	}
	return k.Usable(p)
}

// Reason is the sentence of an error, or its own words where that would say nothing.
func Reason(err error) string {
	if err != nil && karbor.KindOf(err) == karbor.Internal {
		return "its bank does not work"
	}
	return karbor.Sentence(err)
}
