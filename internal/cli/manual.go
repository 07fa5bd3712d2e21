package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/cli/manual"
	"github.com/karbor/karbor/internal/cli/session"
)

// manualPages makes the command that writes manual pages.
func manualPages(s *session.Session, root *cobra.Command) *cobra.Command {
	cmd := s.Command("man DIR", "Write the manual pages into a folder", cobra.ExactArgs(1), func(_ context.Context, args []string) error {
		return manual.WriteTree(root, manual.Header{Source: "karbor " + s.Version, Manual: "Karbor"}, args[0])
	})
	cmd.Long = "Writes a manual page for each command into the folder DIR, which is made if it is\nnot there: karbor.1, karbor-plan.1, karbor-plan-create.1 and so on."
	return s.Help(cmd, session.Help{Example: `karbor man ~/.local/share/man/man1`})
}
