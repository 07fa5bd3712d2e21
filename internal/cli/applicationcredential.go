package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
)

// secretVariable keeps the secret out of the process list.
const secretVariable = "KARBOR_APPLICATION_CREDENTIAL_SECRET"

// maxSecret is how much of standard input is read as a secret.
const maxSecret = 4096

func (a *app) applicationCredential() *cobra.Command {
	return groupOf("applicationcredential", "The application credential that Karbor may work with for you",
		a.applicationCredentialRegister(), a.applicationCredentialShow(), a.applicationCredentialDelete())
}

func (a *app) applicationCredentialRegister() *cobra.Command {
	var secret string
	cmd := a.command("register ID", "Register an application credential of yours", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			secret, err := a.secret(secret)
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			registered, err := c.ApplicationCredentials.Register(ctx, args[0], secret)
			if err != nil {
				return err
			}
			return a.printer().Show(registered)
		})
	cmd.Long = `Registers an application credential of yours in this project. Karbor keeps it
encrypted, and works with it where Keystone lets it have no trust: when you log
in with an application credential yourself, for one.

The secret comes from --secret, from the variable ` + secretVariable + `,
or from standard input with --secret -.`
	cmd.Example = "  openstack application credential create for-karbor\n  karbor applicationcredential register 4a2e… --secret - < secret"
	cmd.Flags().StringVar(&secret, "secret", "", "its secret; - reads standard input")
	return cmd
}

// secret gives the secret of the flag, standard input or the environment.
func (a *app) secret(flag string) (karbor.Secret, error) {
	switch flag {
	case "-":
		text, err := io.ReadAll(io.LimitReader(a.Stdin, maxSecret))
		if err != nil {
			return "", fmt.Errorf("reading the secret: %w", err)
		}
		flag = strings.TrimRight(string(text), "\r\n")
	case "":
		flag = a.Env(secretVariable)
	}
	if flag == "" {
		return "", usagef("the secret is missing: --secret, or the variable %s", secretVariable)
	}
	return karbor.Secret(flag), nil
}

func (a *app) applicationCredentialShow() *cobra.Command {
	return a.command("show", "Show the registered one", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		registered, err := c.ApplicationCredentials.Show(ctx)
		if err != nil {
			return err
		}
		return a.printer().Show(registered)
	})
}

func (a *app) applicationCredentialDelete() *cobra.Command {
	return a.command("delete", "Make Karbor forget it; in Keystone it stays", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		return c.ApplicationCredentials.Delete(ctx)
	})
}
