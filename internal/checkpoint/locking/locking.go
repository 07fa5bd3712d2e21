// Package locking has a bank lock the packs with the data of a checkpoint. What is locked stays until its time, whoever asks: nobody shortens a lock.
package locking

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/format"
)

// Place is the bank in which a checkpoint lies.
type Place struct {
	Checkpoints *checkpoint.Checkpoints
	// Domains is nil for a bank without keys.
	Domains *repository.Domains
}

// Data locks the packs with the data of an available checkpoint, until a time by the bank's clock,
// and gives how many objects that are. The documents come first (checkpoint.Checkpoints.Lock): from
// then on the checkpoint is not deleted. One that is broken off goes on when it is done again; a
// longer lock of an object stays. A bank that can't lock is karbor.NotImplemented.
func Data(ctx context.Context, p Place, projectID, id string, until time.Time) (int, error) {
	n := 0
	streams, err := survey.Streams(ctx, p.Checkpoints, projectID, id)
	if err != nil {
		return n, err
	}
	nodes, err := p.Checkpoints.Nodes(projectID, id)
	if err != nil {
		return n, err
	}
	domains := map[string][]string{}
	for _, s := range streams {
		switch {
		case s.Damage != "":
			return n, &checkpoint.DamageError{ProjectID: projectID, ID: id, Err: fmt.Errorf("the stream %s of %s: %s", s.Name, s.Node, s.Damage)}
		case s.Format != format.Version:
			// All of it lies under the checkpoint.
		case p.Domains == nil:
			return n, &checkpoint.ClosedError{ProjectID: projectID, ID: id, Err: karbor.Errorf(karbor.Unavailable, "the key of the domain %s is not here", s.Domain)}
		default:
			domains[s.Domain] = append(domains[s.Domain], nodes.Key(string(s.Node)+"/data/"+s.Name+"/manifest"))
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(domains)) {
		more, err := p.Domains.Lock(ctx, domain, domains[domain], until)
		if n += more; err != nil {
			return n, fmt.Errorf("locking the data of checkpoint %s: %w", id, err)
		}
	}
	return n, nil
}
