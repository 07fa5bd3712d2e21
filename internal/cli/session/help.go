package session

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/cli/lookup"
)

// completionTime is what a shell waits for when it completes a name.
const completionTime = 3 * time.Second

// Help is what a command tells beside its own text.
type Help struct {
	// Example has command lines, one a line.
	Example string
	// Places are what may stand at the places of the command's arguments, nil where that is
	// not known; the last again and again if More is set.
	Places []lookup.Candidates
	More   bool
}

// At gives places.
func At(places ...lookup.Candidates) []lookup.Candidates { return places }

// Help gives a command its example, and the completion of its arguments.
func (s *Session) Help(cmd *cobra.Command, h Help) *cobra.Command {
	cmd.Example = "  " + strings.ReplaceAll(h.Example, "\n", "\n  ")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		place := len(args)
		if h.More {
			place = min(place, len(h.Places)-1)
		}
		if place >= len(h.Places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.offer(cmd.Context(), h.Places[place], args), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// CompleteFlag completes the values of a flag.
func (s *Session) CompleteFlag(cmd *cobra.Command, name string, of lookup.Candidates) {
	// The flag is there: it was defined just now.
	_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return s.offer(cmd.Context(), of, args), cobra.ShellCompDirectiveNoFileComp
	})
}

// offer asks the service, for a short time. Whoever presses a key wants no error.
func (s *Session) offer(ctx context.Context, of lookup.Candidates, before []string) []string {
	if ctx == nil || of == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	s.global.request = completionTime
	c, err := s.Connect(ctx)
	if err != nil {
		return nil
	}
	words, _ := of(ctx, c, before)
	return words
}

// Fixed gives words that need no service.
func Fixed[T ~string](all ...T) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		out := make([]string, 0, len(all))
		for _, w := range all {
			out = append(out, string(w))
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
