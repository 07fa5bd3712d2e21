// Package bankcommand is karbord bank: it looks after a bank and what lies in it, without the
// service and its database.
package bankcommand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// bankFlags are the flags that all commands of karbord bank have.
type bankFlags struct {
	plugins func(config.Config) provider.Sets

	config, provider                     string
	path                                 string
	keyFile, passphraseFile, recoverFile string
	format                               string
	quiet                                bool
	// changes lets a folder that --path names be written; create lets it be made, too.
	changes, create bool
	// given are keys that another bank was opened with.
	given []*keyring.Source
}

// New gives the command; plugins gives the plug-ins for the providers of a configuration.
func New(plugins func(config.Config) provider.Sets) *cobra.Command {
	f := &bankFlags{plugins: plugins}
	cmd := &cobra.Command{
		Use:   "bank",
		Short: "Look after a bank and what lies in it",
		Long: `Look after a bank: see what lies in it, check it, restore a volume with nothing but the
bank and a key, and more. The bank is that of a provider (--provider, whose file is found by
--config), or a folder that is a file bank (--path). Documents and data that are encrypted
need a key: those of the provider's file, or one that is given as a file.

Exit codes: 0 it is done; 1 it failed; 2 the command line is wrong; 3 something is damaged;
4 there is no such thing; 5 the key is missing or does not open; 130 it was interrupted.`,
		Example: `  karbord bank status --provider bank
  karbord bank ls --path /srv/karbor/bank
  karbord bank extract 5f2c… 'volume/9d1e…' --path /mnt/bank --key-file site.key -o volume.raw`,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return usage(errors.Join(f.check(), c.ValidateFlagGroups()))
		},
		RunE: helpOnly,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	p := cmd.PersistentFlags()
	p.StringVar(&f.config, configured.Flag, configured.Default, "configuration file, which names the folder of providers")
	p.StringVar(&f.provider, "provider", "", "name or id of the provider whose bank it is; not needed if there is only one")
	p.StringVar(&f.path, "path", "", "folder that is a file bank, in place of a provider's bank")
	p.StringVar(&f.keyFile, "key-file", "", "file with a key: 64 hexadecimal digits")
	p.StringVar(&f.passphraseFile, "passphrase-file", "", "file with a passphrase in its first line")
	p.StringVar(&f.recoverFile, "recovery-file", "", "file with a recovery key: 64 hexadecimal digits")
	p.StringVarP(&f.format, "format", "f", "table", "how to print: table or json")
	p.BoolVarP(&f.quiet, "quiet", "q", false, "no progress on the terminal")
	cmd.AddCommand(listCommand(f), statusCommand(f), checkCommand(f), extractCommand(f),
		keysCommand(f), initCommand(f), adoptCommand(f), verifyCommand(f), collectCommand(f),
		importCommand(f), removeLegacyCommand(f), copyCommand(f), freeableCommand(f))
	withCodes(cmd)
	return cmd
}

// withCodes gives the errors of a command, and of all below it, their exit codes.
func withCodes(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error { return usage(check(c, args)) }
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			if err := run(c, args); err != nil {
				return coded{err, exitCode(c.Context(), err)}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		withCodes(c)
	}
}

func (f *bankFlags) check() error {
	switch {
	case f.format != "table" && f.format != "json":
		return fmt.Errorf("--format is table or json, not %q", f.format)
	case f.path != "" && f.provider != "":
		return errors.New("--path and --provider can't be given together")
	}
	return nil
}

func (f *bankFlags) printer(out io.Writer) output.Printer {
	return output.Printer{Out: out, Format: f.format}
}

// sources are the keys that the command line names.
func (f *bankFlags) sources() []*keyring.Source {
	all := f.given
	if f.keyFile != "" {
		all = append(all, keyring.KeyFile(f.keyFile))
	}
	if f.passphraseFile != "" {
		all = append(all, keyring.PassphraseFile(f.passphraseFile))
	}
	if f.recoverFile != "" {
		all = append(all, keyring.RecoveryFile(f.recoverFile))
	}
	return all
}

// openedBank is a bank that a command works on.
type openedBank struct {
	bank        bank.Bank
	checkpoints *checkpoint.Checkpoints
	// sources are the keys at hand; domains is nil without any.
	sources []*keyring.Source
	domains *repository.Domains
	// provider is nil for a bare folder; config is that of its service.
	provider *provider.Provider
	config   config.Config
	secrets  keyring.Secrets
	// name tells people which bank it is.
	name  string
	close []func() error
}

// Close closes all that was opened.
func (b *openedBank) Close() error {
	var errs []error
	for _, end := range slices.Backward(b.close) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// with opens the bank that the flags name, and closes it after do.
func (f *bankFlags) with(ctx context.Context, do func(*openedBank) error) (err error) {
	b := &openedBank{}
	defer func() { err = errors.Join(err, b.Close()) }()
	if f.path != "" {
		err = f.openPath(ctx, b)
	} else {
		err = f.openProvider(ctx, b)
	}
	if err != nil {
		return err
	}
	if err := b.unlock(ctx, f.sources()); err != nil {
		return err
	}
	return do(b)
}

// unlock has documents and data opened with keys that the command line names, in place of the
// provider's.
func (b *openedBank) unlock(ctx context.Context, sources []*keyring.Source) (err error) {
	if len(sources) == 0 && b.checkpoints != nil {
		return nil
	}
	o := checkpoint.Options{Now: time.Now}
	if len(sources) > 0 {
		for _, s := range sources {
			if err := s.Check(ctx); err != nil {
				return &keyError{err}
			}
		}
		domains, err := repository.NewDomains(repository.Options{Bank: b.bank, Keys: sources, Now: time.Now})
		if err != nil {
			return err
		}
		b.domains, b.sources, o.Sealer = domains, sources, domains
		b.close = append(b.close, func() error {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
			defer cancel()
			return domains.Close(last)
		})
	}
	b.checkpoints, err = checkpoint.Open(ctx, b.bank, o)
	return err
}

// openPath opens a bare file bank. A folder that is not there is not made.
func (f *bankFlags) openPath(ctx context.Context, b *openedBank) error {
	if f.oldFolder() != "" {
		return errOld(f.path)
	}
	path, err := filepath.Abs(f.path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && f.create:
	case errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir():
		return karbor.Errorf(karbor.NotFound, "there is no folder %s", path)
	case err != nil:
		return err
	}
	var opened bank.Bank
	if f.changes {
		opened, err = filebank.Open(ctx, filebank.Options{Path: path})
	} else {
		opened, err = filebank.OpenReading(filebank.Options{Path: path}, time.Now)
	}
	if err != nil {
		return err
	}
	b.bank, b.name = opened, path
	b.close = append(b.close, opened.Close)
	return nil
}

// bankOwner names these commands where they need a lease.
const bankOwner = "karbord-bank"

// find opens a provider whose bank answers.
func (f *bankFlags) find(ctx context.Context, c config.Config, which string) (*provider.Provider, error) {
	p, err := provider.Find(ctx, c.Providers, which, f.plugins(c), provider.Options{
		Owner: bankOwner, Now: time.Now, Secrets: daemon.Secrets(daemon.Options{Config: c, Now: time.Now}),
	})
	if err != nil {
		return nil, err
	}
	if err := p.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the bank of provider %s: %w", p.Name, err), p.Close())
	}
	return p, nil
}

func (f *bankFlags) openProvider(ctx context.Context, b *openedBank) error {
	c, err := config.Load(f.config)
	if err != nil {
		return err
	}
	p, err := f.find(ctx, c, f.provider)
	if err != nil {
		return err
	}
	b.close = append(b.close, p.Close)
	b.config, b.provider, b.bank, b.checkpoints, b.name = c, p, p.Bank(), p.Checkpoints(), p.Name
	if d := p.Domains(); d != nil {
		b.domains, b.sources = d, d.Sources()
	}
	return nil
}
