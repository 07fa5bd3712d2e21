package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/store"
)

func dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Look after the database",
		Long: `Look after the database that the configuration names: bring its schema up to date,
compare it with this program, and remove what was deleted long ago.`,
	}
	cmd.AddCommand(dbUpgradeCommand(), dbStatusCommand(), dbPurgeCommand())
	return cmd
}

func dbUpgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Bring the database's schema up to date",
		Long: `Bring the database's schema up to date. Stop the service first, and take a backup: the
way back is the backup. A database file needs no upgrade by hand, as each start does it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := configured.OpenDatabase(cmd)
			if err != nil {
				return err
			}
			return upgradeDatabase(cmd.Context(), d, cmd.OutOrStdout())
		},
	}
	configured.AddFlag(cmd.Flags())
	return cmd
}

func upgradeDatabase(ctx context.Context, d configured.Database, out io.Writer) (err error) {
	if d.IsFile() {
		lock, err := daemon.Lock(d.Config.State)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	d.Options.Upgrade = true
	s, err := store.Open(ctx, d.Location, d.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	have, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "the schema has version %d\n", have.Version)
	return err
}

func dbStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Compare the database's schema with this program",
		Long: `Compare the database's schema with this program. Nothing is changed. The exit status is
1 if the two do not belong together.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := configured.OpenDatabase(cmd)
			if err != nil {
				return err
			}
			have, err := store.SchemaOf(cmd.Context(), d.Location, d.Options.Server)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if _, err := fmt.Fprintf(out, "version  %d\nprogram  %d\n", have.Version, have.Wanted); err != nil {
				return err
			}
			for _, name := range have.Pending {
				if _, err := fmt.Fprintln(out, "pending ", name); err != nil {
					return err
				}
			}
			switch {
			case have.Newer():
				return errors.New("the database's schema is newer than this program")
			case len(have.Pending) > 0:
				return errors.New("the database's schema is older than this program: run `karbord db upgrade`")
			}
			return nil
		},
	}
	configured.AddFlag(cmd.Flags())
	return cmd
}

func dbPurgeCommand() *cobra.Command {
	var age string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove for good what was deleted long ago",
		Long: `Remove for good the rows of things that were deleted long ago: plans, checkpoints,
triggers and others keep their rows when they are deleted. Few rows are removed at a
time, so that the service can go on meanwhile. What can be removed is printed by table.`,
		Example: "  karbord db purge --older-than 30d --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lasting, err := configured.ParseAge(age)
			if err != nil {
				return err
			}
			return onDatabase(cmd, func(ctx context.Context, s *store.Store) error {
				return purge(ctx, s, store.Purge{Before: time.Now().Add(-lasting), DryRun: dryRun}, cmd.OutOrStdout())
			})
		},
	}
	configured.AddFlag(cmd.Flags())
	cmd.Flags().StringVar(&age, "older-than", "90d", "how long ago a thing must have been deleted: days (90d), weeks (12w) or hours (36h)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "count only")
	return cmd
}

func purge(ctx context.Context, s *store.Store, p store.Purge, out io.Writer) error {
	purged, err := s.PurgeDeleted(ctx, p)
	var total int64
	for _, table := range purged {
		total += table.Rows
		if table.Rows > 0 {
			if _, printErr := fmt.Fprintf(out, "%-22s %d\n", table.Table, table.Rows); printErr != nil {
				return errors.Join(err, printErr)
			}
		}
	}
	verb := "removed"
	if p.DryRun {
		verb = "to be removed"
	}
	_, printErr := fmt.Fprintf(out, "%d rows %s\n", total, verb)
	return errors.Join(err, printErr)
}
