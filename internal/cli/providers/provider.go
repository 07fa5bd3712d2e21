// Package providers has the command provider.
package providers

import (
	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command provider.
func Command(s *session.Session) *cobra.Command {
	return session.Group("provider", "Providers: sets of plug-ins and a bank",
		s.Help(list(s), session.Help{Example: `karbor provider list`}),
		s.Help(session.Show(s, "show PROVIDER", "Show a provider", lookup.Provider), session.Help{Example: `karbor provider show bank -f json -c extended_info_schema`, Places: session.At(lookup.ProviderNames)}),
	)
}

func list(s *session.Session) *cobra.Command {
	return session.List(s, "List providers",
		func(c *client.Client) session.Lister[client.Provider] { return c.Providers.List },
		[]session.Filter{
			{Flag: "name", Usage: "those with this in their name"},
			{Flag: "description", Usage: "those with this description"},
		}, "id", "name", "description")
}
