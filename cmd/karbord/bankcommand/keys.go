package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// keyFlags say which domains and which new key are meant.
type keyFlags struct {
	domains                           []string
	all, dryRun                       bool
	newKey, newPassphrase, newRecover string
	newBarbican                       string
	label, confirm                    string
}

func keysCommand(f *bankFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Look after the key slots of a bank's key domains",
		Long: `Look after the key slots of a bank's key domains. What a domain holds is encrypted under its
master key; each slot holds the master key, wrapped under a key of the operator: a key file, a
passphrase, a secret in Barbican, or a recovery key. Slots come and go without touching data.
A domain is opened with the provider's keys, or with those that the command line names.`,
		RunE: helpOnly,
	}
	cmd.AddCommand(keysListCommand(f), keysNewCommand(), keysAddCommand(f), keysRotateCommand(f), keysRemoveCommand(f), keysShredCommand(f), keysPurgeCommand(f))
	return cmd
}

// helpOnly is for commands that have others below them, and do nothing.
func helpOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("there is no command %q; see %s --help", args[0], cmd.CommandPath()))
	}
	return cmd.Help()
}

// addDomain adds the flags that choose domains.
func (k *keyFlags) addDomain(cmd *cobra.Command, several bool) {
	cmd.Flags().StringSliceVar(&k.domains, "domain", nil, "the key domain: the project's id, or that of the provider; several with commas between them")
	if several {
		cmd.Flags().BoolVar(&k.all, "all-domains", false, "all key domains of the bank")
	}
}

// addNew adds the flags that name a new key.
func (k *keyFlags) addNew(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&k.newKey, "new-key-file", "", "file with the key that gets the slot: 64 hexadecimal digits")
	flags.StringVar(&k.newPassphrase, "new-passphrase-file", "", "file with the passphrase that gets the slot")
	flags.StringVar(&k.newRecover, "new-recovery-file", "", "file with the recovery key that gets the slot")
	flags.StringVar(&k.newBarbican, "new-barbican", "", "URL of the secret in Barbican that gets the slot; the service user must be able to read it")
	flags.StringVar(&k.label, "label", "", "text for people, in place of the file's name")
	names := []string{"new-key-file", "new-passphrase-file", "new-recovery-file", "new-barbican"}
	cmd.MarkFlagsOneRequired(names...)
	cmd.MarkFlagsMutuallyExclusive(names...)
}

func (k *keyFlags) addDryRun(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&k.dryRun, "dry-run", false, "change nothing, and say what would be done")
}

// source is the new key.
func (k *keyFlags) source(d *openedDomain) *keyring.Source {
	var s *keyring.Source
	switch {
	case k.newBarbican != "":
		s = keyring.Barbican(k.newBarbican, d.secrets)
	case k.newKey != "":
		s = keyring.KeyFile(k.newKey)
	case k.newPassphrase != "":
		s = keyring.PassphraseFile(k.newPassphrase)
	default:
		s = keyring.RecoveryFile(k.newRecover)
	}
	if k.label != "" {
		s = s.Labelled(k.label)
	}
	return s
}

// chosen gives the domains that are meant: all, if none is named and that is allowed.
func (k *keyFlags) chosen(ctx context.Context, b *openedBank, otherwiseAll bool) ([]string, error) {
	if len(k.domains) > 0 && !k.all {
		return k.domains, nil
	}
	if !k.all && !otherwiseAll {
		return nil, usage(errors.New("--domain is missing"))
	}
	names, err := survey.DomainNames(ctx, b.bank)
	if err != nil {
		return nil, fmt.Errorf("listing the key domains: %w", err)
	}
	return names, nil
}

// listedSlot is one line of karbord bank keys list.
type listedSlot struct {
	Domain string `json:"domain"`
	keyring.Slot
}

func keysListCommand(f *bankFlags) *cobra.Command {
	k := keyFlags{}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the key slots",
		Long:    "List the key slots of the bank's key domains, or of one. No key is needed.",
		Example: "  karbord bank keys list --provider bank",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(b *openedBank) error {
				names, err := k.chosen(cmd.Context(), b, true)
				if err != nil {
					return err
				}
				all := []listedSlot{}
				for _, name := range names {
					slots, err := b.slots(cmd.Context(), name)
					if err != nil {
						return err
					}
					for _, s := range slots {
						s.Label = printable(s.Label)
						all = append(all, listedSlot{name, s})
					}
				}
				return output.List(f.printer(cmd.OutOrStdout()), all, "domain", "slot", "kind", "label", "created_at", "damage")
			})
		},
	}
	k.addDomain(cmd, false)
	return cmd
}

// slots gives the slots of a domain that is there.
func (b *openedBank) slots(ctx context.Context, domain string) ([]keyring.Slot, error) {
	ring, err := keyring.New(b.bank, domain)
	if err != nil {
		return nil, err
	}
	if _, err := ring.Document(ctx); err != nil && karbor.KindOf(err) == karbor.NotFound {
		return nil, err
	}
	return ring.Slots(ctx)
}

func keysNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new FILE",
		Short: "Make a file with a new key",
		Long: `Make a file with a new random key, which only its owner may read: for a key file, or for a
recovery key, which is kept where the service is not. A file that is there is left as it is.`,
		Example: "  karbord bank keys new /etc/karbor/site.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := keyring.WriteKeyFile(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s holds a new key: keep a copy of it apart from the bank\n", args[0])
			return err
		},
	}
}

func keysAddCommand(f *bankFlags) *cobra.Command {
	k := keyFlags{}
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a key slot",
		Long: `Add a key slot, so that another key opens a domain too. The domain is opened with a key that it
has a slot for already. A domain that the new key opens already is left as it is.`,
		Example: `  karbord bank keys add --provider bank --all-domains --new-recovery-file /media/safe/recovery.key
  karbord bank keys add --path /srv/bank --key-file old.key --domain 0b5e… --new-key-file new.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.each(cmd, f, func(ctx context.Context, d *openedDomain) error {
				return d.add(ctx, &k)
			})
		},
	}
	k.addDomain(cmd, true)
	k.addNew(cmd)
	k.addDryRun(cmd)
	return cmd
}

func keysRotateCommand(f *bankFlags) *cobra.Command {
	k := keyFlags{}
	cmd := &cobra.Command{
		Use:   "rotate [SLOT]",
		Short: "Put a new key in the place of another one",
		Long: `Put a slot for a new key in the place of another slot: the new one is there before the old one
goes. Without SLOT it is the one that the domain was opened through. No data is rewritten: who
has had the old key and the bank may have taken the master key, and keeps it.`,
		Example: `  karbord bank keys rotate --path /srv/bank --key-file old.key --all-domains --new-key-file new.key`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (k.all || len(k.domains) != 1) {
				return usage(errors.New("a SLOT is one of one --domain"))
			}
			return k.each(cmd, f, func(ctx context.Context, d *openedDomain) error {
				old := d.opened.Slot
				if len(args) == 1 {
					old = args[0]
				}
				return d.rotate(ctx, &k, old)
			})
		},
	}
	k.addDomain(cmd, true)
	k.addNew(cmd)
	k.addDryRun(cmd)
	return cmd
}

func keysRemoveCommand(f *bankFlags) *cobra.Command {
	k := keyFlags{}
	cmd := &cobra.Command{
		Use:   "remove SLOT",
		Short: "Remove a key slot",
		Long: `Remove a key slot, so that its key opens the domain no more. The domain is opened through another
slot first, which stays: so the last way in can't be removed. See keys list for the slots.`,
		Example: "  karbord bank keys remove 1f0c… --domain 0b5e… --path /srv/bank --key-file site.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(k.domains) != 1 {
				return usage(errors.New("one --domain is needed"))
			}
			return k.each(cmd, f, func(ctx context.Context, d *openedDomain) error {
				return d.remove(ctx, &k, args[0])
			})
		},
	}
	k.addDomain(cmd, false)
	k.addDryRun(cmd)
	return cmd
}

// openedDomain is a domain whose slots are changed.
type openedDomain struct {
	name   string
	ring   *keyring.Ring
	opened *keyring.Opened
	// secrets asks Barbican; nil where there is no service's configuration.
	secrets keyring.Secrets
	out     io.Writer
}

// each does something with each domain that is meant. It goes on with the next when one
// fails, and gives all errors.
func (k *keyFlags) each(cmd *cobra.Command, f *bankFlags, do func(context.Context, *openedDomain) error) error {
	f.changes = !k.dryRun
	return f.with(cmd.Context(), func(b *openedBank) error {
		ctx := cmd.Context()
		names, err := k.chosen(ctx, b, false)
		if err != nil {
			return err
		}
		if len(b.sources) == 0 {
			return &keyError{errors.New("a key is needed to open the domain: --key-file, --passphrase-file or --recovery-file")}
		}
		var failed []error
		for _, name := range names {
			ring, err := keyring.New(b.bank, name)
			if err == nil {
				d := &openedDomain{name: name, ring: ring, secrets: b.secrets, out: cmd.OutOrStdout()}
				if d.opened, err = ring.Open(ctx, b.sources); err == nil {
					err = do(ctx, d)
				}
			}
			if failed = append(failed, err); ctx.Err() != nil {
				break
			}
		}
		return errors.Join(failed...)
	})
}

func (d *openedDomain) say(format string, args ...any) error {
	_, err := fmt.Fprintf(d.out, "domain %s: "+format+"\n", append([]any{d.name}, args...)...)
	return err
}

// opens reports through which slot a source opens the domain already, or "".
func (d *openedDomain) opens(ctx context.Context, s *keyring.Source) string {
	if o, err := d.ring.Open(ctx, []*keyring.Source{s}); err == nil {
		return o.Slot
	}
	return ""
}

func (d *openedDomain) add(ctx context.Context, k *keyFlags) error {
	s := k.source(d)
	if err := s.Check(ctx); err != nil {
		return &keyError{err}
	}
	if slot := d.opens(ctx, s); slot != "" {
		return d.say("the %s opens the slot %s already", s, slot)
	}
	if k.dryRun {
		return d.say("a slot for the %s would be added", s)
	}
	id, err := d.ring.Add(ctx, d.opened, s)
	if err != nil {
		return err
	}
	return d.say("slot %s added for the %s", id, s)
}

func (d *openedDomain) rotate(ctx context.Context, k *keyFlags, old string) error {
	s := k.source(d)
	if err := s.Check(ctx); err != nil {
		return &keyError{err}
	}
	if slot := d.opens(ctx, s); slot != "" {
		return karbor.Errorf(karbor.Conflict, "domain %s: the %s opens the slot %s already; remove the other one with keys remove", d.name, s, slot)
	}
	if k.dryRun {
		return d.say("a slot for the %s would take the place of the slot %s", s, old)
	}
	id, err := d.ring.Rotate(ctx, d.opened, old, s)
	if err != nil {
		return err
	}
	return d.say("slot %s for the %s took the place of the slot %s", id, s, old)
}

func (d *openedDomain) remove(ctx context.Context, k *keyFlags, slot string) error {
	if k.dryRun {
		return d.say("the slot %s would be removed; the slot %s, through which it was opened, stays", slot, d.opened.Slot)
	}
	if err := d.ring.Remove(ctx, d.opened, slot); err != nil {
		return err
	}
	return d.say("slot %s removed; slot %s stays", slot, d.opened.Slot)
}
