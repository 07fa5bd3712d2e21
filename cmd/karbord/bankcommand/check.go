package bankcommand

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/checkpoint/survey"
)

func checkCommand(f *bankFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check quickly whether the parts of a bank fit together",
		Long: `Check whether the parts of a bank fit together, without reading bulk data: documents, states,
index entries, manifests, chunks, key domains and their slots. What is damaged is printed with
the checkpoint and resource that it hurts; notes tell of what is odd and does no harm. Documents
that are sealed are opened if the key is there. Nothing is changed.`,
		Example: `  karbord bank check --provider bank
  karbord bank check --path /mnt/bank --key-file site.key -f json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(b *openedBank) error {
				return b.check(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
}

// checked is what karbord bank check prints as JSON.
type checked struct {
	survey.Result
	Findings []survey.Finding `json:"findings"`
}

func (b *openedBank) check(ctx context.Context, f *bankFlags, out, errOut io.Writer) error {
	p := f.progress(errOut)
	all := checked{Findings: []survey.Finding{}}
	result, err := survey.Check(ctx, b.bank, b.checkpoints, survey.CheckOptions{
		Told: p.objects("checkpoints"),
		Found: func(one survey.Finding) error {
			if f.format == "json" {
				all.Findings = append(all.Findings, one)
				return nil
			}
			p.end()
			return printFinding(out, one)
		},
	})
	p.end()
	if err != nil {
		return fmt.Errorf("checking the bank: %w", err)
	}
	if f.format == "json" {
		all.Result = result
		err = f.printer(out).Show(all)
	} else {
		_, err = fmt.Fprintf(out, "%d checkpoints, %d streams, %d key domains: %d damages, %d notes\n",
			result.Checkpoints, result.Streams, result.Domains, result.Damages, result.Notes)
		if err == nil && result.Proofs > 0 {
			_, err = fmt.Fprintf(out, "%d records of drills\n", result.Proofs)
		}
		if err == nil && result.Closed > 0 {
			_, err = fmt.Fprintf(out, "%d checkpoints are sealed, and no key opens them here: only what lies in the clear was checked\n", result.Closed)
		}
	}
	if err == nil && result.Damages > 0 {
		err = errDamaged
	}
	return err
}

func printFinding(out io.Writer, f survey.Finding) error {
	level := "note"
	if f.Damage {
		level = "damage"
	}
	where := f.Place
	if f.Checkpoint != "" {
		where = "checkpoint " + f.Checkpoint
		if f.Node != "" {
			where += ", " + string(f.Node)
		}
	}
	_, err := fmt.Fprintf(out, "%-6s  %s: %s\n", level, where, printable(f.Text))
	return err
}
