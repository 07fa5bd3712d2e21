// Package s3 is a bank in a bucket of an object store that speaks S3.
// docs/format/s3-bank.md specifies which object holds which key.
//
// What the store guarantees is tried when the bank is opened; Traits says what was
// seen, and nothing more.
package s3

import (
	"context"
	"net/url"
	"regexp"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/wrap"
	"github.com/karbor/karbor/plugin"
)

// Options of the bank in a provider file.
type Options struct {
	// Endpoint is the store's address, https://host or https://host:port. With http
	// everything but the signature goes in the clear.
	Endpoint string `yaml:"endpoint"`
	// Bucket exists already.
	Bucket string `yaml:"bucket"`
	// Prefix is what the names of the bank's objects begin with, before a slash: a
	// key of at most 100 bytes, or "" for the whole bucket.
	Prefix string `yaml:"prefix"`
	// Region is what requests are signed for.
	Region string `yaml:"region"`
	// Style is "path" (host/bucket), "virtual-host" (bucket.host), or "auto":
	// virtual-host with Amazon's endpoints, path with others.
	Style string `yaml:"style"`
	// CAFile holds certificates to trust beside the system's, as PEM.
	CAFile string `yaml:"ca_file"`
	// Credentials say as whom requests are signed.
	Credentials Credentials `yaml:"credentials"`
	// ObjectLock keeps new objects from being changed. nil leaves them as they are.
	ObjectLock *ObjectLock `yaml:"object_lock"`
	// IdleTimeout is how long a call may go without progress.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Layout09 opens a bank of Python Karbor, whose objects have other names.
	Layout09 bool `yaml:"layout_0_9"`
	// Options are those of every bank in an object store.
	wrap.Options `yaml:",inline"`
}

// Credentials are found in exactly one of three ways.
type Credentials struct {
	// AccessKeyID, and a file with the secret access key: one line. The file is read
	// again every five minutes.
	AccessKeyID         string `yaml:"access_key_id"`
	SecretAccessKeyFile string `yaml:"secret_access_key_file"`
	// Environment takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
	// AWS_SESSION_TOKEN from the environment of the process.
	Environment bool `yaml:"environment"`
	// ApplicationCredential takes the EC2 keys of an OpenStack user, and makes them
	// if there are none.
	ApplicationCredential *ApplicationCredential `yaml:"application_credential"`
}

// ApplicationCredential is how to get EC2 keys from Keystone. It must be an
// unrestricted one if the user has no keys yet.
type ApplicationCredential struct {
	AuthURL    string `yaml:"auth_url"`
	ID         string `yaml:"id"`
	SecretFile string `yaml:"secret_file"`
	// CAFile is as in Options, for Keystone.
	CAFile string `yaml:"ca_file"`
}

// ObjectLock says which objects are locked, of those that are meant to last; see
// docs/format/s3-bank.md for those that are not. Period and Held may go together.
type ObjectLock struct {
	// Mode is "governance" or "compliance".
	Mode string `yaml:"mode"`
	// Period is how long from its writing each new object is locked, 1h to 100 years; 0
	// locks none.
	Period time.Duration `yaml:"period"`
	// Held is for how long at a time what a held checkpoint needs is locked, 1h to 100 years;
	// the lock is lengthened as long as the checkpoint is held. 0 locks nothing.
	Held time.Duration `yaml:"held"`
}

// Defaults gives the options without any setting.
func Defaults() Options {
	return Options{Region: "us-east-1", Style: "auto", IdleTimeout: time.Minute, Options: wrap.Defaults()}
}

const (
	maxPrefix  = 100
	longestAge = 100 * 365 * 24 * time.Hour
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Validate reports what is wrong with the options.
func (o *Options) Validate() error {
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return karbor.Errorf(karbor.Invalid, "endpoint: it is not https://host or https://host:port")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return karbor.Errorf(karbor.Invalid, "endpoint: it has nothing beside scheme, host and port")
	case !bucketName.MatchString(o.Bucket):
		return karbor.Errorf(karbor.Invalid, "bucket: %q is not the name of a bucket", o.Bucket)
	case o.Prefix != "" && (len(o.Prefix) > maxPrefix || bank.CheckKey(o.Prefix) != nil):
		return karbor.Errorf(karbor.Invalid, "prefix: %q is not a key of at most %d bytes", o.Prefix, maxPrefix)
	case o.Region == "":
		return karbor.Errorf(karbor.Invalid, "region: there is none")
	case o.Style != "auto" && o.Style != "path" && o.Style != "virtual-host":
		return karbor.Errorf(karbor.Invalid, "style: %q is none of auto, path and virtual-host", o.Style)
	case o.IdleTimeout < time.Second || o.IdleTimeout > time.Hour:
		return karbor.Errorf(karbor.Invalid, "idle_timeout: %v is not from 1s to 1h", o.IdleTimeout)
	case o.Layout09 && (o.ObjectLock != nil || !o.ReadOnly):
		return karbor.Errorf(karbor.Invalid, "layout_0_9: a bank of Python Karbor is opened with read_only, and without object_lock")
	}
	if err := o.Credentials.validate(); err != nil {
		return err
	}
	if l := o.ObjectLock; l != nil {
		if l.Mode != "governance" && l.Mode != "compliance" {
			return karbor.Errorf(karbor.Invalid, "object_lock.mode: %q is none of governance and compliance", l.Mode)
		}
		if l.Period == 0 && l.Held == 0 {
			return karbor.Errorf(karbor.Invalid, "object_lock: it needs period, held, or both")
		}
		if l.Period != 0 && (l.Period < time.Hour || l.Period > longestAge) {
			return karbor.Errorf(karbor.Invalid, "object_lock.period: %v is not from 1h to 100 years", l.Period)
		}
		if l.Held != 0 && (l.Held < time.Hour || l.Held > longestAge) {
			return karbor.Errorf(karbor.Invalid, "object_lock.held: %v is not from 1h to 100 years", l.Held)
		}
	}
	return o.Options.Validate()
}

func (c *Credentials) validate() error {
	ways := 0
	if c.AccessKeyID != "" || c.SecretAccessKeyFile != "" {
		ways++
		if c.AccessKeyID == "" || c.SecretAccessKeyFile == "" {
			return karbor.Errorf(karbor.Invalid, "credentials: access_key_id and secret_access_key_file go together")
		}
	}
	if c.Environment {
		ways++
	}
	if a := c.ApplicationCredential; a != nil {
		ways++
		if a.AuthURL == "" || a.ID == "" || a.SecretFile == "" {
			return karbor.Errorf(karbor.Invalid, "credentials.application_credential: auth_url, id and secret_file are needed")
		}
	}
	if ways != 1 {
		return karbor.Errorf(karbor.Invalid, "credentials: give exactly one of access_key_id with secret_access_key_file, environment, and application_credential")
	}
	return nil
}

// Host is what the bank takes from the process that it runs in.
type Host struct {
	// Now is the host's clock. Required.
	Now func() time.Time
	// Getenv reads the environment. Required for credentials from there.
	Getenv func(name string) string
}

// Plugin is the bank karbor-s3-bank.
func Plugin(h Host) plugin.Definition[bank.Bank] {
	return plugin.Define("karbor-s3-bank", "Keeps checkpoints in a bucket of an object store that speaks S3.", Defaults,
		func(ctx context.Context, o Options) (bank.Bank, error) {
			b, err := Open(ctx, o, h)
			if err != nil {
				return nil, err
			}
			return o.Around(b), nil
		})
}
