package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/internal/cli/session"
)

// completion replaces cobra's command by one that says how to install the script.
func completion(s *session.Session, root *cobra.Command) *cobra.Command {
	group := session.Group("completion", "Write a completion script for a shell")
	for _, shell := range []struct {
		name    string
		example string
		write   func(io.Writer) error
	}{
		{"bash", `karbor completion bash > /etc/bash_completion.d/karbor`, func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"zsh", `karbor completion zsh > "${fpath[1]}/_karbor"`, root.GenZshCompletion},
		{"fish", `karbor completion fish > ~/.config/fish/completions/karbor.fish`, func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
		{"powershell", `karbor completion powershell > karbor.ps1`, root.GenPowerShellCompletionWithDesc},
	} {
		group.AddCommand(s.Help(&cobra.Command{
			Use: shell.name, Short: "Write the script for " + shell.name, Args: cobra.NoArgs,
			Long: "Writes the completion script for " + shell.name + ` to standard output. Names of plans,
providers, triggers and checkpoints are completed too, by asking the service with
the login of the shell's environment.`,
			RunE: func(cmd *cobra.Command, _ []string) error { return shell.write(cmd.OutOrStdout()) },
		}, session.Help{Example: shell.example}))
	}
	return group
}
