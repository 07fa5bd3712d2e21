package checkpoint

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Owner is who has, or had, a lease in a bank, as others see it.
type Owner struct {
	Name string
	// Alive says that the lease has not ended, by the bank's clock.
	Alive bool
	// RenewedAt and ExpiresAt are the lease's, by the bank's clock; zero without one.
	RenewedAt, ExpiresAt time.Time
	// Claims are the checkpoints that the owner works on, or has left unfinished.
	Claims []Claim
}

// Claim names a checkpoint that its owner works on.
type Claim struct{ ProjectID, ID string }

// Owners gives all that have leases or claims in the bank, by name. Objects between
// them that are neither don't count.
func (c *Checkpoints) Owners(ctx context.Context) ([]Owner, error) {
	var out []Owner
	numbers := map[string]int{} // the newest renewals
	err := eachKey(ctx, c.bank, leasesRoot, func(key string) error {
		name, last, _ := strings.Cut(strings.TrimPrefix(key, leasesRoot), "/")
		_, project, id, isClaim := parseClaim(key)
		n, isLease := parseSequence(last)
		if !isOwner(name) || !isClaim && !isLease {
			return nil
		}
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, Owner{Name: name})
		}
		if isClaim {
			o := &out[len(out)-1]
			o.Claims = append(o.Claims, Claim{project, id})
		} else {
			numbers[name] = n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the leases: %w", err)
	}
	now, err := c.bank.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the bank's time: %w", err)
	}
	for i := range out {
		if err := c.readLease(ctx, &out[i], numbers[out[i].Name]); err != nil {
			return nil, err
		}
		out[i].Alive = now.Before(out[i].ExpiresAt)
	}
	return out, nil
}

// readLease fills in the times of a lease. One that is gone has ended.
func (c *Checkpoints) readLease(ctx context.Context, o *Owner, n int) error {
	if n == 0 {
		return nil
	}
	doc, err := readRenewal(ctx, c.bank, leasePrefix(o.Name)+sequence(n))
	if err != nil {
		if karbor.KindOf(err) == karbor.NotFound {
			return nil
		}
		return err
	}
	o.RenewedAt, o.ExpiresAt = doc.RenewedAt, doc.ExpiresAt
	return nil
}
