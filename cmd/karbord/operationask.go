package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/store"
)

func operationCancelCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "cancel OPERATION",
		Short: "Cancel an operation",
		Long: `Cancel an operation as its tenant can: what runs is stopped, what was made is removed, and
it ends in error.`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the tenant reads it")
	return asking(cmd, store.CancelRequest, func() (string, error) { return withReason("cancelled by the operator", reason), nil })
}

func operationFailCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "fail OPERATION --reason TEXT",
		Short: "End an operation that does not come to its end",
		Long: `End an operation that does not come to its end by itself, not even when it is cancelled. It
is cancelled first. If it is not over 30 seconds later it is ended as it lies: in error,
with the reason, and with all that it may have made in the cloud in the ledger of leftovers,
which is gone through as ever. Use it when a hook hangs, not when it is slow.`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the tenant reads it (required)")
	return asking(cmd, store.FailRequest, func() (string, error) {
		if strings.TrimSpace(reason) == "" {
			return "", errors.New("say why, with --reason: the tenant reads it")
		}
		return withReason("ended by the operator", reason), nil
	})
}

func operationRetryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry OPERATION",
		Short: "Ask again for a delete or a verification that has failed",
		Long: `Ask again for what an operation has failed to do, as a new operation. Only a delete or a
verification can be tried again without the tenant, and only where it does nothing in the
tenant's cloud: the leave to act there ended with the operation. What is left in the cloud
is tried again with: karbord leftovers retry. A checkpoint or a restore is asked for anew,
by the tenant.`,
		Args: cobra.ExactArgs(1),
	}
	return asking(cmd, store.RetryRequest, func() (string, error) { return "tried again by the operator", nil })
}

func withReason(who, reason string) string {
	if reason = strings.Join(strings.Fields(reason), " "); reason == "" {
		return who
	}
	return who + ": " + reason
}

// refused begins the answer to a request that can't be carried out.
const refused = "refused: "

// asking makes a command that asks something of an operation, and waits a little for the
// service's answer.
func asking(cmd *cobra.Command, kind store.RequestKind, reason func() (string, error)) *cobra.Command {
	var wait time.Duration
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for the service's answer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := reason()
		if err != nil {
			return err
		}
		var answer store.Request
		err = onDatabase(cmd, func(ctx context.Context, s *store.Store) error {
			op, err := s.FindOperationHead(ctx, "", args[0])
			if err != nil {
				return err
			}
			if err := s.AskOperation(ctx, store.Request{OperationID: op.ID, Kind: kind, Reason: text}); err != nil {
				return err
			}
			answer, err = awaitAnswer(ctx, s, op.ID, kind, wait)
			return err
		})
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(answer.Answer, refused):
			return errors.New(answer.Answer)
		case answer.AnsweredAt.IsZero():
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: asked; the service has not answered yet\n", answer.OperationID)
		default:
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", answer.OperationID, answer.Answer)
		}
		return err
	}
	return cmd
}

// answerPoll is how often it is looked for an answer.
const answerPoll = 200 * time.Millisecond

func awaitAnswer(ctx context.Context, s *store.Store, id string, kind store.RequestKind, wait time.Duration) (store.Request, error) {
	ticker := time.NewTicker(answerPoll)
	defer ticker.Stop()
	for deadline := time.Now().Add(wait); ; {
		r, err := s.OperationRequest(ctx, id, kind)
		if err != nil || !r.AnsweredAt.IsZero() || !time.Now().Before(deadline) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-ticker.C:
		}
	}
}
