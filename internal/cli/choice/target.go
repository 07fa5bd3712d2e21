package choice

import (
	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/exit"
)

// targetFlags say where a restore goes.
type targetFlags struct {
	url, username, password, userDomain, project, projectDomain string
	credential, secret, region                                  string
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
		{&t.region, "restore-region-name", "", "region there; without it, the first of its catalog"},
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
		return nil, exit.Usagef("--restore-application-credential-id and --restore-username exclude each other")
	case t.credential != "" && t.secret == "":
		return nil, exit.Usagef("--restore-application-credential-id needs --restore-application-credential-secret or KARBOR_RESTORE_APPLICATION_CREDENTIAL_SECRET")
	case t.credential != "":
		return &client.RestoreAuth{CredentialID: t.credential, CredentialSecret: karbor.Secret(t.secret), Region: t.region}, nil
	case t.username == "" && t.region != "":
		return nil, exit.Usagef("--restore-region-name needs --restore-username or --restore-application-credential-id")
	case t.username == "":
		return nil, nil
	}
	if t.password == "" {
		return nil, exit.Usagef("--restore-username needs --restore-password or KARBOR_RESTORE_PASSWORD")
	}
	others := map[string]string{}
	for k, v := range map[string]string{"user_domain_name": t.userDomain, "project_name": t.project, "project_domain_name": t.projectDomain} {
		if v != "" {
			others[k] = v
		}
	}
	return &client.RestoreAuth{Username: t.username, Password: karbor.Secret(t.password), Region: t.region, Others: others}, nil
}
