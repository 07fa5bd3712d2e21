package dedup

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Role is what somebody does in a domain.
type Role string

// The roles. Who writes or collects reads, too.
const (
	Readers Role = "readers"
	Writers Role = "writers"
)

// requirementsPrefix begins the keys of what a domain asks of a role.
func requirementsPrefix(domain string, of Role) string {
	return domainPrefix(domain) + "requires/" + string(of) + "/"
}

// Meets reports, as karbor.NotImplemented, that a domain asks for something that this version
// does not have: a later one has written to it what this one would misunderstand. This
// version has nothing beyond version 1, so whatever is asked for is too much.
func Meets(ctx context.Context, b bank.Bank, domain string, role Role) error {
	prefix := requirementsPrefix(domain, role)
	listed, err := b.List(ctx, prefix, "", 3)
	if err != nil {
		return fmt.Errorf("looking for what the key domain %s asks of its %s: %w", domain, role, err)
	}
	if len(listed) == 0 {
		return nil
	}
	asked := make([]string, len(listed))
	for i := range listed {
		asked[i] = strings.TrimPrefix(listed[i].Key, prefix)
	}
	return karbor.Errorf(karbor.NotImplemented, "a later version has worked in the key domain %s: its %s must know %s, which this version does not",
		domain, role, strings.Join(asked, ", "))
}
