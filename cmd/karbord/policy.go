package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/policy"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Look at the rules of who may do what",
		Long: `Look at the rules of who may do what. Each operation of the API has a rule with a
default; a policy file overrides rules in oslo.policy's language. It is policy.file of
the configuration, or policy.yaml or policy.json beside the configuration file.`,
	}
	cmd.AddCommand(policySampleCommand(), policyCheckCommand(), policyListCommand())
	return cmd
}

func policySampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "sample",
		Short:   "Print a policy file with every rule and its default, as comments",
		Example: "  karbord policy sample > /etc/karbor/policy.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), policy.Sample())
			return err
		},
	}
}

// policySource are the flags that say which rules are meant.
type policySource struct {
	config, file string
}

func (s *policySource) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.config, configured.Flag, configured.Default, "configuration file, which names the policy file")
	cmd.Flags().StringVar(&s.file, "file", "", "policy file, instead of the configuration's")
}

// settings gives the policy settings that hold. Without a configuration file, where
// none was asked for, they are the defaults.
func (s *policySource) settings(cmd *cobra.Command) (config.Policy, error) {
	if s.file != "" {
		return config.Policy{File: s.file}, nil
	}
	if _, err := os.Stat(s.config); errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed(configured.Flag) {
		return config.Policy{}, nil
	}
	c, err := config.Load(s.config)
	return c.Policy, err
}

func policyCheckCommand() *cobra.Command {
	source := policySource{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a policy file",
		Long: `Check a policy file: what would stop karbord from starting, names of rules that are
not there, references that lead nowhere, and, as notes, checks that nobody can pass and
rules that say what the default says. The exit status is 1 if there is an error.`,
		Example: "  karbord policy check --file policy.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := source.settings(cmd)
			if err != nil {
				return err
			}
			return checkPolicy(cmd.OutOrStdout(), settings)
		},
	}
	source.add(cmd)
	return cmd
}

// checkPolicy checks the first policy file that is there.
func checkPolicy(out io.Writer, settings config.Policy) error {
	files, required := settings.Files()
	for _, path := range files {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !required {
			continue
		}
		found, err := policy.Review(path)
		if err != nil {
			return err
		}
		wrong := 0
		for _, f := range found {
			if f.Error {
				wrong++
			}
			if _, err := fmt.Fprintf(out, "%s: %s\n", path, f); err != nil {
				return err
			}
		}
		if wrong > 0 {
			return fmt.Errorf("policy file %s: %d of its rules can't be meant so", path, wrong)
		}
		_, err = fmt.Fprintln(out, path+": good")
		return err
	}
	_, err := fmt.Fprintln(out, "there is no policy file: the defaults hold")
	return err
}

// policyCaller are the flags that say who asks.
type policyCaller struct {
	roles                    []string
	owner, elsewhere         bool
	isAdmin, service, strict bool
}

func policyListCommand() *cobra.Command {
	source, who := policySource{}, policyCaller{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List which rules a token passes",
		Long: `List every rule that guards operations of the API, and whether a token with the given
roles passes it. By default the token is of the project that the thing lies in.`,
		Example: `  karbord policy list --roles member,reader
  karbord policy list --roles auditor --other-project --file policy.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := source.settings(cmd)
			if err != nil {
				return err
			}
			files, required := settings.Files()
			e, err := policy.Open(policy.Options{
				Files: files, Required: required, EnforceNewDefaults: settings.EnforceNewDefaults || who.strict,
			})
			if err != nil {
				return err
			}
			return listPolicy(cmd.OutOrStdout(), e, who)
		},
	}
	source.add(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&who.roles, "roles", nil, "roles of the token, with commas between them")
	f.BoolVar(&who.owner, "project-owner", false, "the thing lies in the token's project (the default)")
	f.BoolVar(&who.elsewhere, "other-project", false, "the thing lies in another project")
	f.BoolVar(&who.isAdmin, "is-admin", false, "is_admin is True, whatever context_is_admin says")
	f.BoolVar(&who.service, "service", false, "another service hands the token on, with a service token of its own")
	f.BoolVar(&who.strict, "enforce-new-defaults", false, "as with policy.enforce_new_defaults")
	cmd.MarkFlagsMutuallyExclusive("project-owner", "other-project")
	cmd.MarkFlagsOneRequired("roles", "is-admin")
	return cmd
}

func listPolicy(out io.Writer, e *policy.Enforcer, who policyCaller) error {
	id := &karbor.Identity{UserID: "user", ProjectID: "project", Roles: who.roles, FromService: who.service}
	target := policy.Target{ProjectID: id.ProjectID, UserID: id.UserID}
	if who.elsewhere {
		target = policy.Elsewhere()
	}
	for _, g := range e.Grants(id, target, who.isAdmin) {
		answer, origin := "no", "default"
		if g.Allowed {
			answer = "yes"
		}
		if g.File {
			origin = "file"
		}
		if _, err := fmt.Fprintf(out, "%-4s %-42s %-8s %s\n", answer, g.Rule.Name, origin, g.Text); err != nil {
			return err
		}
	}
	return nil
}
