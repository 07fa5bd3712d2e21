package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

func (a *app) restore() *cobra.Command {
	return groupOf("restore", "Restores: bring a checkpoint's resources back",
		a.restoreCreate(), a.restoreUndo(), a.restoreCheck(), a.restoreList(), a.restoreShow(), a.cancel("restore", "RESTORE"))
}

// targetFlags say where a restore goes.
type targetFlags struct {
	url, username, password, userDomain, project, projectDomain string
	credential, secret                                          string
}

func (t *targetFlags) add(f *pflag.FlagSet) {
	for _, flag := range []struct {
		into             *string
		name, old, usage string
	}{
		{&t.url, "restore-target", "restore_target", "Keystone URL of another cloud"},
		{&t.username, "restore-username", "restore_username", "user name there"},
		{&t.password, "restore-password", "restore_password", "password there; KARBOR_RESTORE_PASSWORD keeps it out of the process list"},
		{&t.userDomain, "restore-user-domain-name", "", "domain of the user there"},
		{&t.project, "restore-project-name", "", "project there"},
		{&t.projectDomain, "restore-project-domain-name", "", "domain of the project there"},
		{&t.credential, "restore-application-credential-id", "", "application credential there, in the place of user and project"},
		{&t.secret, "restore-application-credential-secret", "", "its secret; KARBOR_RESTORE_APPLICATION_CREDENTIAL_SECRET keeps it out of the process list"},
	} {
		f.StringVar(flag.into, flag.name, "", flag.usage)
		if flag.old != "" {
			f.StringVar(flag.into, flag.old, "", "same as --"+flag.name)
		}
	}
}

// auth gives the login of the target, nil if there is none.
func (t *targetFlags) auth(env func(string) string) (*client.RestoreAuth, error) {
	if t.password == "" {
		t.password = env("KARBOR_RESTORE_PASSWORD")
	}
	if t.secret == "" {
		t.secret = env("KARBOR_RESTORE_APPLICATION_CREDENTIAL_SECRET")
	}
	switch {
	case t.credential != "" && t.username != "":
		return nil, usagef("--restore-application-credential-id and --restore-username exclude each other")
	case t.credential != "" && t.secret == "":
		return nil, usagef("--restore-application-credential-id needs --restore-application-credential-secret or KARBOR_RESTORE_APPLICATION_CREDENTIAL_SECRET")
	case t.credential != "":
		return &client.RestoreAuth{CredentialID: t.credential, CredentialSecret: karbor.Secret(t.secret)}, nil
	case t.username == "":
		return nil, nil
	}
	if t.password == "" {
		return nil, usagef("--restore-username needs --restore-password or KARBOR_RESTORE_PASSWORD")
	}
	others := map[string]string{}
	for k, v := range map[string]string{"user_domain_name": t.userDomain, "project_name": t.project, "project_domain_name": t.projectDomain} {
		if v != "" {
			others[k] = v
		}
	}
	return &client.RestoreAuth{Username: t.username, Password: karbor.Secret(t.password), Others: others}, nil
}

func (a *app) restoreCreate() *cobra.Command {
	var w waitFlags
	var q requestFlags
	var keep bool
	cmd := a.command("create [PROVIDER] CHECKPOINT", "Restore a checkpoint", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			wanted, err := q.request(a.Env)
			if err != nil {
				return err
			}
			c, err := a.connect(ctx)
			if err != nil {
				return err
			}
			provider, cp, err := a.findUsable(ctx, c, args)
			if err != nil {
				return err
			}
			if err := q.of(&wanted, provider, cp); err != nil {
				return err
			}
			if wanted.Profile, err = a.profileID(ctx, c, q.profile); err != nil {
				return err
			}
			wanted.KeepOnFailure = keep
			r, err := c.Restores.Create(ctx, wanted)
			if err != nil {
				return err
			}
			if w.wait {
				a.say("restore %s", r.ID)
				w.own = true
				if r, err = a.awaitRestore(ctx, c, w, r.ID); err != nil {
					return err
				}
			}
			return a.finishRestore(r, w.wait)
		})
	f := cmd.Flags()
	w.add(f)
	q.add(f)
	f.BoolVar(&keep, "keep-on-failure", false, "if the restore fails, keep the resources that are restored")
	return creating(cmd)
}

// finishRestore prints a restore; one that was waited for and failed makes an
// error.
func (a *app) finishRestore(r client.Restore, waited bool) error {
	shown := r
	if r.Status == karbor.RestoreSuccess {
		shown.Progress = nil
	}
	if err := a.printer().Show(shown); err != nil {
		return err
	}
	if waited && r.Status != karbor.RestoreSuccess {
		return failure("the restore "+r.ID, string(r.Status), r.ResourcesReason, "karbor operationlog list --restore "+r.ID)
	}
	return nil
}

func (a *app) restoreList() *cobra.Command {
	var l listFlags
	var status string
	cmd := a.command("list", "List restores", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := l.connect(ctx, a)
		if err != nil {
			return err
		}
		all, err := collect(c.Restores.List(ctx, l.options(map[string]string{"status": status})))
		if err != nil {
			return err
		}
		return output.List(a.printer(), all, "id", "project_id", "provider_id", "checkpoint_id", "restore_target", "parameters", "status")
	})
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&status, "status", "", "in_progress, success or fail")
	return cmd
}

func (a *app) restoreShow() *cobra.Command {
	var w waitFlags
	cmd := a.command("show RESTORE", "Show a restore", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := mustBeID("restore", args[0]); err != nil {
			return err
		}
		c, err := a.connect(ctx)
		if err != nil {
			return err
		}
		r, err := c.Restores.Show(ctx, args[0])
		if err == nil && w.wait {
			r, err = a.awaitRestore(ctx, c, w, r.ID)
		}
		if err != nil {
			return err
		}
		return a.finishRestore(r, w.wait)
	})
	w.add(cmd.Flags())
	return cmd
}
