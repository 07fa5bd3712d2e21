// Package swift is a bank in a container of OpenStack Swift.
// docs/format/swift-bank.md specifies which object holds which key.
//
// Swift decides about a write with If-None-Match in each object server for itself,
// and its listings lag: so this bank promises neither an atomic Create nor consistent
// lists, whatever it sees.
package swift

import (
	"context"
	"regexp"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/wrap"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
)

// Options of the bank in a provider file.
type Options struct {
	// Container is its name. It is in the account of the credentials' project.
	Container string `yaml:"container"`
	// CreateContainer makes the container if it does not exist.
	CreateContainer bool `yaml:"create_container"`
	// Prefix is what the names of the bank's objects begin with, before a slash: a
	// key of at most 100 bytes, or "" for the whole container.
	Prefix string `yaml:"prefix"`
	// Credentials say as whom the bank is used.
	Credentials Credentials `yaml:"credentials"`
	// Region narrows the endpoints of the catalogue; "" takes the first.
	Region string `yaml:"region"`
	// Interface is "public", "internal" or "admin".
	Interface string `yaml:"interface"`
	// CAFile holds certificates to trust beside the system's, as PEM.
	CAFile string `yaml:"ca_file"`
	// IdleTimeout is how long a transfer may go without progress.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Layout09 opens a bank of Python Karbor, whose objects have other names.
	Layout09 bool `yaml:"layout_0_9"`
	// Options are those of every bank in an object store.
	wrap.Options `yaml:",inline"`
}

// Credentials are found in exactly one of three ways.
type Credentials struct {
	// Service takes Karbor's own service user, as karbord's configuration has it.
	Service bool `yaml:"service"`
	// ApplicationCredential is one of a user who may write to the container.
	ApplicationCredential *ApplicationCredential `yaml:"application_credential"`
	// Password is that of such a user.
	Password *Password `yaml:"password"`
}

// ApplicationCredential is one of Keystone's.
type ApplicationCredential struct {
	AuthURL string `yaml:"auth_url"`
	ID      string `yaml:"id"`
	// SecretFile holds the secret in one line.
	SecretFile string `yaml:"secret_file"`
}

// Password is a user with a password.
type Password struct {
	AuthURL  string `yaml:"auth_url"`
	Username string `yaml:"username"`
	// PasswordFile holds the password in one line.
	PasswordFile string `yaml:"password_file"`
	// UserDomain and ProjectDomain are names or ids of domains; "" is "default".
	UserDomain    string `yaml:"user_domain"`
	Project       string `yaml:"project"`
	ProjectDomain string `yaml:"project_domain"`
}

// Defaults gives the options without any setting.
func Defaults() Options {
	return Options{Interface: "public", IdleTimeout: time.Minute, Options: wrap.Defaults()}
}

const maxPrefix = 100

// containerName leaves out what would have to be escaped in a URL.
var containerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$`)

// Validate reports what is wrong with the options.
func (o *Options) Validate() error {
	switch {
	case !containerName.MatchString(o.Container):
		return karbor.Errorf(karbor.Invalid, "container: %q is not 1 to 255 letters, digits, _, . and -, the first a letter or digit", o.Container)
	case o.Prefix != "" && (len(o.Prefix) > maxPrefix || bank.CheckKey(o.Prefix) != nil):
		return karbor.Errorf(karbor.Invalid, "prefix: %q is not a key of at most %d bytes", o.Prefix, maxPrefix)
	case o.Interface != "public" && o.Interface != "internal" && o.Interface != "admin":
		return karbor.Errorf(karbor.Invalid, "interface: %q is none of public, internal and admin", o.Interface)
	case o.IdleTimeout < time.Second || o.IdleTimeout > time.Hour:
		return karbor.Errorf(karbor.Invalid, "idle_timeout: %v is not from 1s to 1h", o.IdleTimeout)
	case o.Layout09 && (o.CreateContainer || !o.ReadOnly):
		return karbor.Errorf(karbor.Invalid, "layout_0_9: a bank of Python Karbor is opened with read_only, and without create_container")
	}
	if err := o.Credentials.validate(); err != nil {
		return err
	}
	return o.Options.Validate()
}

func (c *Credentials) validate() error {
	ways := 0
	if c.Service {
		ways++
	}
	if a := c.ApplicationCredential; a != nil {
		ways++
		if a.AuthURL == "" || a.ID == "" || a.SecretFile == "" {
			return karbor.Errorf(karbor.Invalid, "credentials.application_credential: auth_url, id and secret_file are needed")
		}
	}
	if p := c.Password; p != nil {
		ways++
		if p.AuthURL == "" || p.Username == "" || p.PasswordFile == "" || p.Project == "" {
			return karbor.Errorf(karbor.Invalid, "credentials.password: auth_url, username, password_file and project are needed")
		}
	}
	if ways != 1 {
		return karbor.Errorf(karbor.Invalid, "credentials: give exactly one of service, application_credential and password")
	}
	return nil
}

// Host is what the bank takes from the process that it runs in.
type Host struct {
	// Now is the host's clock. Required.
	Now func() time.Time
	// Cloud tells how Karbor's service user reaches its cloud. nil if it has none.
	Cloud func() (openstack.Options, error)
}

// Plugin is the bank karbor-swift-bank.
func Plugin(h Host) plugin.Definition[bank.Bank] {
	return plugin.Define("karbor-swift-bank", "Keeps checkpoints in a container of OpenStack Swift.", Defaults,
		func(ctx context.Context, o Options) (bank.Bank, error) {
			b, err := Open(ctx, o, h)
			if err != nil {
				return nil, err
			}
			return o.Around(b), nil
		})
}
