package dnszone

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Options are the protection plug-in's in a provider file.
type Options struct {
	// PollInterval is the longest pause between two looks at a zone that is waited for.
	PollInterval time.Duration `yaml:"poll_interval"`
	// Timeout limits each single wait for a zone.
	Timeout time.Duration `yaml:"timeout"`
	// RefusedRecordSets says what a restore does that does not say it itself.
	RefusedRecordSets Refused `yaml:"refused_record_sets"`
}

// Refused says what a restore does with a record set that the cloud does not take, such as one of a type
// that it does not know. In a restore, the parameter refused_record_sets says it.
type Refused string

const (
	// Fail ends the restore, and undoes it.
	Fail Refused = "fail"
	// Report tells the tenant, and restores the others.
	Report Refused = "report"
)

// Refusals gives all values. The enum of the restore schema has the same.
func Refusals() []Refused { return []Refused{Fail, Report} }

// Validate reports settings that make no sense.
func (o *Options) Validate() error {
	if o.PollInterval <= 0 || o.Timeout <= 0 {
		return errors.New("poll_interval and timeout must be more than zero")
	}
	if !slices.Contains(Refusals(), o.RefusedRecordSets) {
		return fmt.Errorf("refused_record_sets must be one of %q, not %q", Refusals(), o.RefusedRecordSets)
	}
	return nil
}

// Protection keeps zones in the bank.
var Protection = plugin.Define("karbor-dns-zone-protection-plugin",
	"Protects DNS zones: their record sets go into the bank.",
	func() Options {
		return Options{PollInterval: 15 * time.Second, Timeout: time.Hour, RefusedRecordSets: Fail}
	},
	func(_ context.Context, o Options) (protection.Plugin, error) {
		s, err := protection.ReadSchemas(schemas)
		waits := openstack.Waits{Longest: o.PollInterval, Timeout: o.Timeout}
		return &room{waits: waits, refused: o.RefusedRecordSets, schemas: s}, err
	})

// room is the opened plug-in. All operations share it: it holds options, and nothing of an operation.
type room struct {
	waits   openstack.Waits
	refused Refused
	schemas protection.Schemas
}

//go:embed schemas/*.json
var schemas embed.FS

// Types implements protection.Plugin.
func (*room) Types() []karbor.ResourceType { return []karbor.ResourceType{Type} }

// Schemas implements protection.Plugin.
func (r *room) Schemas(karbor.ResourceType) protection.Schemas { return r.schemas }

// Hooks implements protection.Plugin. Protect makes nothing in the cloud, so that there is nothing to
// undo. Delete has no hooks: all is in the bank, which the service clears.
func (r *room) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	switch {
	case t != Type:
		return protection.Hooks{}
	case op == karbor.Protect:
		return protection.Hooks{Main: r.protect}
	case op == karbor.RestoreOperation:
		return protection.Hooks{Main: r.restore, Undo: r.undoRestore, Preflight: r.preflight}
	case op == karbor.Verify:
		return protection.Verified(documentKey, sound, dataName)
	default:
		return protection.Hooks{}
	}
}
