package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
)

// Command makes a command whose work is run.
func (s *Session) Command(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.global.check(); err != nil {
				return err
			}
			s.running = true
			return run(cmd.Context(), args)
		},
	}
}

// Group makes a command that only holds others.
func Group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, RunE: Guide, Args: cobra.ArbitraryArgs}
	g.AddCommand(commands...)
	return g
}

// Guide is the work of a command that only holds others: its help, or an error that says
// which of them may have been meant.
func Guide(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, append(c.Aliases, c.Name())...)
	}
	path := cmd.CommandPath()
	// The shell of python-karborclient has plan-create, and so on.
	if noun, verb, ok := strings.Cut(args[0], "-"); ok && slices.Contains(known, noun) {
		return fmt.Errorf("unknown command %q for %q; did you mean \"%s %s %s\"?", args[0], path, path, noun, verb)
	}
	if near := lookup.Nearest(args[0], known); near != "" {
		return fmt.Errorf("unknown command %q for %q; did you mean %q?", args[0], path, path+" "+near)
	}
	return fmt.Errorf("unknown command %q for %q; see %s --help", args[0], path, path)
}

// FlagError names the flag that may have been meant.
func FlagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := lookup.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
}

// Creating gives a command that creates something the flag for the Idempotency-Key.
func Creating(cmd *cobra.Command) *cobra.Command {
	var key string
	cmd.Flags().StringVar(&key, "idempotency-key", "", "the same key again within a day gives the first answer again, and creates nothing")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if key != "" {
			cmd.SetContext(client.WithIdempotencyKey(cmd.Context(), key))
		}
		return run(cmd, args)
	}
	return cmd
}

// Show makes a command of one argument that prints what find gives for it.
func Show[T any](s *Session, use, short string, find func(context.Context, *client.Client, string) (T, error)) *cobra.Command {
	return s.Command(use, short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		found, err := find(ctx, c, args[0])
		if err != nil {
			return err
		}
		return s.Printer().Show(found)
	})
}

// Each makes a command that does something with each of its arguments. What fails with one
// does not keep it from the others.
func (s *Session) Each(use, short string, do func(ctx context.Context, c *client.Client, ref string) error) *cobra.Command {
	return s.Command(use, short, cobra.MinimumNArgs(1), func(ctx context.Context, args []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		return All(args, func(ref string) error { return do(ctx, c, ref) })
	})
}

// All does something with each of some things, and gives all errors in one.
func All(refs []string, do func(ref string) error) error {
	var faults []error
	for _, ref := range refs {
		faults = append(faults, do(ref))
	}
	return errors.Join(faults...)
}
