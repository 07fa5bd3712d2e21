package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

func operationCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operation",
		Short: "Look after the operations of all projects",
		Long: `Look after the operations of all projects: what runs, how far it is, what it waits for.
The commands work on the database. What is asked of an operation is kept there, and carried
out by the service, within seconds if it runs, else when it does.`,
	}
	cmd.AddCommand(operationListCommand(), operationShowCommand(), operationCancelCommand(), operationFailCommand(), operationRetryCommand())
	configured.AddFlag(cmd.PersistentFlags())
	return cmd
}

// operationLine is an operation as it is listed.
type operationLine struct {
	ID         string               `json:"id"`
	Type       karbor.OperationType `json:"type"`
	Project    string               `json:"project"`
	Provider   string               `json:"provider"`
	Checkpoint string               `json:"checkpoint"`
	Restore    string               `json:"restore"`
	Status     karbor.LogStatus     `json:"status"`
	Age        string               `json:"age"`
	StartedAt  time.Time            `json:"started_at"`
	EndedAt    *time.Time           `json:"ended_at"`
	// Doing is what it does now, or why it ended.
	Doing string `json:"doing"`
}

func operationListCommand() *cobra.Command {
	var project, format string
	var all bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the operations that are not over",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var lines []operationLine
			err := observed(cmd, func(ctx context.Context, s *store.Store, engine *observer) error {
				found, err := s.OperationEntries(ctx, project, all, limit)
				for _, o := range found {
					line, failed := operationLineOf(ctx, engine, o)
					if failed != nil {
						return failed
					}
					lines = append(lines, line)
				}
				return err
			})
			if err != nil {
				return err
			}
			return output.List(output.Printer{Out: cmd.OutOrStdout(), Format: format}, lines,
				"id", "type", "project", "checkpoint", "status", "age", "doing")
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "only those of the project with this id")
	cmd.Flags().BoolVar(&all, "all", false, "those that are over too")
	cmd.Flags().IntVar(&limit, "limit", 1000, "the most to list, the newest first")
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table, json, yaml, csv or value")
	return cmd
}

func operationLineOf(ctx context.Context, engine *observer, o store.OperationEntry) (operationLine, error) {
	line := operationLine{
		ID: o.ID, Type: o.Type, Project: o.ProjectID, Provider: o.ProviderID, Checkpoint: o.CheckpointID, Restore: o.RestoreID,
		Status: o.Status, StartedAt: o.CreatedAt, Doing: o.ErrorInfo,
	}
	if !o.EndedAt.IsZero() {
		line.EndedAt = &o.EndedAt
		line.Age = o.EndedAt.Sub(o.CreatedAt).Round(time.Second).String()
		return line, nil
	}
	line.Age = time.Since(o.CreatedAt).Round(time.Second).String()
	if o.Waiting {
		line.Doing = waitsForPlace
		return line, nil
	}
	d, err := engine.describe(ctx, o.ID)
	line.Doing = engine.doing(d)
	return line, err
}

// waitsForPlace is what an operation does that has not begun.
const waitsForPlace = "waits for a place among the operations that may be at work"

// doing says in a few words what an operation does.
func doing(d workflow.Description) string {
	text := ""
	switch {
	case d.State == "":
		text = "waits for the engine"
	case d.State == workflow.Pending:
		text = "waits for its turn"
	case d.Cancelled != "":
		text = d.Cancelled
	}
	over := 0
	for _, s := range d.Steps {
		if s.State.Ended() {
			over++
		}
	}
	if len(d.Steps) > 0 {
		text = join(text, fmt.Sprintf("%d of %d steps are over", over, len(d.Steps)))
	}
	for _, s := range d.Steps {
		if s.Error != "" && !s.State.Ended() {
			return join(text, fmt.Sprintf("%s failed %d times: %s", s.ID, s.Attempts, s.Error))
		}
	}
	return text
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// operationStep is a step as it is printed.
type operationStep struct {
	Step     string         `json:"step"`
	State    workflow.State `json:"state"`
	Attempts int            `json:"attempts"`
	Done     int64          `json:"bytes_done"`
	Total    int64          `json:"bytes_total"`
	// Due is when it is tried again.
	Due   *time.Time `json:"due"`
	Error string     `json:"error"`
}

func operationShowCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show OPERATION",
		Short: "Show the steps of an operation, their attempts and errors",
		Long: `Show the steps of an operation, their attempts and errors, with what is asked of it. The
id may be that of the operation or of its log, restore, verification, or of the checkpoint
that it makes or deletes. The engine forgets the steps an hour after the end.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var steps []operationStep
			err := observed(cmd, func(ctx context.Context, s *store.Store, engine *observer) error {
				op, err := s.FindOperationHead(ctx, "", args[0])
				if err != nil {
					return err
				}
				d, err := engine.describe(ctx, op.ID)
				if err != nil {
					return err
				}
				if format == "table" {
					doing := engine.doing(d)
					if op.Waiting {
						doing = waitsForPlace
					}
					if err := writeOperation(ctx, cmd.OutOrStdout(), s, op, doing); err != nil {
						return err
					}
				}
				steps = stepsOf(d)
				return nil
			})
			if err != nil {
				return err
			}
			return output.List(output.Printer{Out: cmd.OutOrStdout(), Format: format}, steps,
				"step", "state", "attempts", "bytes_done", "bytes_total", "due", "error")
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table, json, yaml, csv or value")
	return cmd
}

func stepsOf(d workflow.Description) []operationStep {
	steps := make([]operationStep, len(d.Steps))
	for i, s := range d.Steps {
		steps[i] = operationStep{Step: s.ID, State: s.State, Attempts: s.Attempts, Done: s.Done, Total: s.Total, Error: s.Error}
		if !s.Waiting.IsZero() {
			steps[i].Due = &s.Waiting
		}
	}
	return steps
}

// writeOperation writes what is known of an operation as a whole.
func writeOperation(ctx context.Context, out io.Writer, s *store.Store, op store.Operation, doing string) error {
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(out, "%-12s %s\n", name, value) // a pipe that is closed shows with the table
		}
	}
	line("operation", op.ID)
	line("type", string(op.Type))
	line("project", op.ProjectID)
	line("provider", op.ProviderID)
	line("checkpoint", op.CheckpointID)
	line("restore", op.RestoreID)
	line("request", op.RequestID)
	line("started", op.CreatedAt.UTC().Format(time.RFC3339))
	if !op.EndedAt.IsZero() {
		line("ended", op.EndedAt.UTC().Format(time.RFC3339))
	}
	log, err := s.OperationLog(ctx, op.ProjectID, op.ID)
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	line("status", string(log.Status))
	line("error", log.ErrorInfo)
	if op.EndedAt.IsZero() {
		line("doing", doing)
	}
	for _, kind := range []store.RequestKind{store.CancelRequest, store.FailRequest, store.RetryRequest} {
		r, err := s.OperationRequest(ctx, op.ID, kind)
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return err
		}
		if err == nil {
			line("asked", fmt.Sprintf("%s at %s (%s): %s", kind, r.CreatedAt.UTC().Format(time.RFC3339), r.Reason, orOpen(r)))
		}
	}
	return nil
}

// orOpen gives the answer to a request, or says that there is none.
func orOpen(r store.Request) string {
	if r.AnsweredAt.IsZero() {
		return "not answered yet"
	}
	return r.Answer
}
