// Package applicationcredentials has the command applicationcredential.
package applicationcredentials

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command applicationcredential.
func Command(s *session.Session) *cobra.Command {
	return session.Group("applicationcredential", "The application credential that Karbor may work with for you",
		s.Help(register(s), session.Help{Example: "openstack application credential create for-karbor\nkarbor applicationcredential register 4a2e… --secret - < secret"}),
		s.Help(show(s), session.Help{Example: `karbor applicationcredential show`}),
		s.Help(remove(s), session.Help{Example: `karbor applicationcredential delete`}),
	)
}

// secretVariable keeps the secret out of the process list.
const secretVariable = "KARBOR_APPLICATION_CREDENTIAL_SECRET"

// maxSecret is how much of standard input is read as a secret.
const maxSecret = 4096

func register(s *session.Session) *cobra.Command {
	var secret string
	cmd := s.Command("register ID", "Register an application credential of yours", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			secret, err := readSecret(s, secret)
			if err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			registered, err := c.ApplicationCredentials.Register(ctx, args[0], secret)
			if err != nil {
				return err
			}
			return s.Printer().Show(registered)
		})
	cmd.Long = `Registers an application credential of yours in this project. Karbor keeps it
encrypted, and works with it where Keystone lets it have no trust: when you log
in with an application credential yourself, for one.

The secret comes from --secret, from the variable ` + secretVariable + `,
or from standard input with --secret -.`
	cmd.Flags().StringVar(&secret, "secret", "", "its secret; - reads standard input")
	return cmd
}

// readSecret gives the secret of the flag, standard input or the environment.
func readSecret(s *session.Session, flag string) (karbor.Secret, error) {
	switch flag {
	case "-":
		text, err := io.ReadAll(io.LimitReader(s.Stdin, maxSecret))
		if err != nil {
			return "", fmt.Errorf("reading the secret: %w", err)
		}
		flag = strings.TrimRight(string(text), "\r\n")
	case "":
		flag = s.Env(secretVariable)
	}
	if flag == "" {
		return "", exit.Usagef("the secret is missing: --secret, or the variable %s", secretVariable)
	}
	return karbor.Secret(flag), nil
}

func show(s *session.Session) *cobra.Command {
	return s.Command("show", "Show the registered one", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		registered, err := c.ApplicationCredentials.Show(ctx)
		if err != nil {
			return err
		}
		return s.Printer().Show(registered)
	})
}

func remove(s *session.Session) *cobra.Command {
	return s.Command("delete", "Make Karbor forget it; in Keystone it stays", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		return c.ApplicationCredentials.Delete(ctx)
	})
}
