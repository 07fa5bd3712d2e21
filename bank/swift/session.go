package swift

import (
	"context"
	"os"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// session is as whom the bank is used, and how to let go of it.
type session struct {
	cloud karbor.Cloud
	close func()
}

// openSession makes the session that the options ask for. It does not contact
// Keystone.
func openSession(ctx context.Context, o Options, h Host) (*session, error) {
	base := openstack.Options{Region: o.Region, Interface: o.Interface, IdleTimeout: o.IdleTimeout, Now: h.Now}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, karbor.Errorf(karbor.Invalid, "ca_file: %w", err)
		}
		base.CACert = text
	}
	switch c := o.Credentials; {
	case c.ApplicationCredential != nil:
		secret, err := readSecret(c.ApplicationCredential.SecretFile)
		if err != nil {
			return nil, err
		}
		base.AuthURL = c.ApplicationCredential.AuthURL
		cloud, err := openstack.NewCredentialSession(base, c.ApplicationCredential.ID, secret)
		if err != nil {
			return nil, err
		}
		return &session{cloud, cloud.Close}, nil
	case c.Password != nil:
		p := c.Password
		secret, err := readSecret(p.PasswordFile)
		if err != nil {
			return nil, err
		}
		base.AuthURL, base.Username, base.Password, base.UserDomain = p.AuthURL, p.Username, secret, p.UserDomain
		base.Project, base.ProjectDomain = p.Project, p.ProjectDomain
	default:
		if h.Cloud == nil {
			return nil, karbor.Errorf(karbor.Invalid, "credentials.service: there is no service user here")
		}
		own, err := h.Cloud()
		if err != nil {
			return nil, err
		}
		own.Interface, own.IdleTimeout, own.Now = o.Interface, o.IdleTimeout, h.Now
		if o.Region != "" {
			own.Region = o.Region
		}
		if len(base.CACert) > 0 {
			own.CACert = base.CACert
		}
		base = own
	}
	a, err := openstack.NewAuthority(ctx, base)
	if err != nil {
		return nil, err
	}
	return &session{a.Service(), a.Close}, nil
}

// readSecret reads a secret from a file, without white space around it.
func readSecret(path string) (karbor.Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", karbor.Errorf(karbor.Invalid, "reading a secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", karbor.Errorf(karbor.Invalid, "the file %s does not hold one line with a secret", path)
	}
	return karbor.Secret(secret), nil
}
