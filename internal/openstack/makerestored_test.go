package openstack_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// notes is a ledger, in the order of what it is told.
type notes struct{ said []string }

// Hold implements protection.Ledger.
func (n *notes) Hold(_ context.Context, h protection.Holding) error {
	n.said = append(n.said, fmt.Sprintf("%s %q asked as %q, %d GiB, of a drill: %t", h.Kind, h.ID, h.Asked, h.GiB, h.Drill))
	return nil
}

// Release implements protection.Ledger.
func (n *notes) Release(context.Context, protection.HoldingKind, string) error { return nil }

func TestWhatADrillRestoresIsInTheLedgerBeforeItIsAskedFor(t *testing.T) {
	const asked, there = `volume "" asked as "disk", 2 GiB, of a drill: true`, `volume "v" asked as "disk", 2 GiB, of a drill: true`
	for name, c := range map[string]struct {
		drill       bool
		found, made string
		err         error
		want        []string
	}{
		"made":                {drill: true, made: "v", want: []string{asked, "create", there}},
		"found":               {drill: true, found: "v", want: []string{asked, there}},
		"refused":             {drill: true, err: errors.New("no"), want: []string{asked, "create"}},
		"nothing to be made":  {drill: true, want: []string{asked, "create"}},
		"of an own restore":   {made: "v", want: []string{"create"}},
		"restored and stayed": {found: "v"},
	} {
		t.Run(name, func(t *testing.T) {
			ledger := &notes{}
			call := &protection.Call{Drill: c.drill, Ledger: ledger}
			id, err := openstack.MakeRestored(t.Context(), call, protection.Holding{Kind: protection.HeldVolume, GiB: 2}, "disk",
				func(context.Context) (string, error) { return c.found, nil },
				func(context.Context) (string, error) {
					ledger.said = append(ledger.said, "create")
					return c.made, c.err
				})
			if id != c.found+c.made || !errors.Is(err, c.err) {
				t.Errorf("it gives %q, %v", id, err)
			}
			if diff := cmp.Diff(c.want, ledger.said); diff != "" {
				t.Errorf("what is said and done (-want +got):\n%s", diff)
			}
		})
	}
}
