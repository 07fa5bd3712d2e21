// Package config is the configuration of karbord: one struct, read strictly from
// one YAML file. docs/operators/configuration.md describes each key.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// Config is what karbord can be told.
type Config struct {
	// Listen is the address of the API, host:port.
	Listen string `yaml:"listen"`
	// PublicURL is the API's address as tenants reach it, without the version
	// and project. "" takes it from each request.
	PublicURL string `yaml:"public_url"`
	API       API    `yaml:"api"`
	// State is the folder of the database and of the service key.
	State    string   `yaml:"state"`
	Database Database `yaml:"database"`
	// Providers is the folder of the provider files.
	Providers string `yaml:"providers"`
	// ServiceKeyFile holds 64 hexadecimal digits, the key that seals delegations
	// in the database. "" makes one in the state folder at the first start.
	ServiceKeyFile string     `yaml:"service_key_file"`
	Keystone       Keystone   `yaml:"keystone"`
	Operations     Operations `yaml:"operations"`
	Transfers      Transfers  `yaml:"transfers"`
	Engine         Engine     `yaml:"engine"`
	Quotas         Quotas     `yaml:"quotas"`
	Triggers       Triggers   `yaml:"triggers"`
	Schedules      Schedules  `yaml:"schedules"`
	Services       Services   `yaml:"services"`
	Upkeep         Upkeep     `yaml:"upkeep"`
	Janitor        Janitor    `yaml:"janitor"`
	Kubernetes     Kubernetes `yaml:"kubernetes"`
	Drills         Drills     `yaml:"drills"`
	Log            Log        `yaml:"log"`
	Policy         Policy     `yaml:"policy"`
}

// Keystone says where the cloud is and who Karbor's service user is.
type Keystone struct {
	AuthURL       string `yaml:"auth_url"`
	Username      string `yaml:"username"`
	PasswordFile  string `yaml:"password_file"`
	Project       string `yaml:"project"`
	UserDomain    string `yaml:"user_domain"`
	ProjectDomain string `yaml:"project_domain"`
	Region        string `yaml:"region"`
	// Interface is public, internal or admin.
	Interface string `yaml:"interface"`
	// CAFile holds further certificates to trust, as PEM.
	CAFile string `yaml:"ca_file"`
	// Timeout bounds one request to the cloud.
	Timeout time.Duration `yaml:"timeout"`
	// ServiceTokenRoles are the roles of which a service token must have one.
	ServiceTokenRoles []string `yaml:"service_token_roles"`
}

// Operations says how operations run.
type Operations struct {
	// DelegationLifetime bounds how long an operation may go on.
	DelegationLifetime time.Duration `yaml:"delegation_lifetime"`
	// Settle is how long the cloud may take to carry out what it did not answer: so
	// long it is looked for before it is made anew, or taken for never made.
	Settle time.Duration `yaml:"settle"`
	// LeftoverTime is how long it is tried again to remove what an operation could
	// not remove from the cloud.
	LeftoverTime time.Duration `yaml:"leftover_time"`
	// Deadline is how old an operation may become before it is cancelled; 0 sets none.
	Deadline time.Duration `yaml:"deadline"`
	// PhaseDeadlines are how long a hook of an operation may get no further.
	PhaseDeadlines PhaseDeadlines `yaml:"phase_deadlines"`
	// Limits are the most that may be at work at a time.
	Limits OperationLimits `yaml:"limits"`
	// AdminReads lets plug-ins read and set, as the service user, what a tenant
	// can't: a server's user data, a chosen floating address.
	AdminReads bool `yaml:"admin_reads"`
	// RestoreTargets are the addresses of the Keystones of other clouds that
	// tenants may restore into.
	RestoreTargets []string `yaml:"restore_targets"`
	// RestoreEndpoints are host names, domains (*.cloud.example), addresses and networks
	// that those clouds' services may be at, beside the hosts of RestoreTargets. What
	// is not public must be listed as an address or a network.
	RestoreEndpoints []string `yaml:"restore_endpoints"`
}

// check gives what is wrong with the values to fault.
func (o Operations) check(fault func(key, format string, args ...any)) {
	if o.DelegationLifetime < time.Hour {
		fault("operations.delegation_lifetime", "%v is less than an hour", o.DelegationLifetime)
	}
	if o.Settle < 0 || o.Settle > 10*time.Minute {
		fault("operations.settle", "%v is not between 0 and 10 minutes", o.Settle)
	}
	if o.LeftoverTime < 0 {
		fault("operations.leftover_time", "%v is less than 0", o.LeftoverTime)
	}
	if o.Deadline != 0 && o.Deadline < time.Hour {
		fault("operations.deadline", "%v is less than an hour; 0 sets none", o.Deadline)
	}
	o.PhaseDeadlines.check(fault)
	o.Limits.check(fault)
	for i, target := range o.RestoreTargets {
		if !isURL(target) || strings.HasSuffix(target, "/") {
			fault(fmt.Sprintf("operations.restore_targets[%d]", i), "%q is not an http or https URL without a slash at its end", target)
		}
	}
	for i, endpoint := range o.RestoreEndpoints {
		if _, err := openstack.NewReach(nil, []string{endpoint}); err != nil {
			fault(fmt.Sprintf("operations.restore_endpoints[%d]", i), "%s", karbor.Sentence(err))
		}
	}
}

// Quotas are the defaults of every project; -1 is unlimited. The quota class
// "default" overrides them without a restart.
type Quotas struct {
	Plans       int `yaml:"plans"`
	Checkpoints int `yaml:"checkpoints"`
	// Gigabytes is the logical size of all checkpoints, in GiB.
	Gigabytes int `yaml:"gigabytes"`
	// MappingProfiles is no quota that the API shows or changes.
	MappingProfiles int `yaml:"mapping_profiles"`
}

// check gives what is wrong with the values to fault.
func (q Quotas) check(fault func(key, format string, args ...any)) {
	for key, n := range map[string]int{"plans": q.Plans, "checkpoints": q.Checkpoints, "gigabytes": q.Gigabytes, "mapping_profiles": q.MappingProfiles} {
		if n < -1 {
			fault("quotas."+key, "%d is below -1", n)
		}
	}
}

// Log says what is logged and how.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is text or json.
	Format string `yaml:"format"`
}

// check gives what is wrong with the values to fault.
func (l Log) check(fault func(key, format string, args ...any)) {
	switch l.Level {
	case "debug", "info", "warn", "error":
	default:
		fault("log.level", "%q is none of debug, info, warn and error", l.Level)
	}
	if l.Format != "text" && l.Format != "json" {
		fault("log.format", "%q is neither text nor json", l.Format)
	}
}

// Default gives the configuration as it is without any setting.
func Default() Config {
	return Config{
		Listen:    "127.0.0.1:8799",
		API:       defaultAPI(),
		State:     "/var/lib/karbor",
		Database:  defaultDatabase(),
		Providers: "/etc/karbor/providers.d",
		Keystone: Keystone{
			Username: "karbor", Project: "service", UserDomain: "Default", ProjectDomain: "Default",
			Interface: "public", Timeout: time.Minute, ServiceTokenRoles: []string{"service"},
		},
		Operations: defaultOperations(),
		Transfers:  defaultTransfers(),
		Engine:     defaultEngine(),
		Quotas:     Quotas{Plans: 50, Checkpoints: -1, Gigabytes: -1, MappingProfiles: 100},
		Triggers:   defaultTriggers(),
		Schedules:  defaultSchedules(),
		Services:   defaultServices(),
		Upkeep:     defaultUpkeep(),
		Janitor:    defaultJanitor(),
		Kubernetes: defaultKubernetes(),
		Drills:     defaultDrills(),
		Log:        Log{Level: "info", Format: "text"},
		Policy:     defaultPolicy(),
	}
}

// Load reads a file over the defaults, and checks the result. An unknown key or a
// value of a wrong type is an error that shows file, line and column.
func Load(path string) (Config, error) {
	c := Default()
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("configuration file %s: %s", path, withoutPasswords(yaml.FormatError(err, false, true)))
	}
	c.Policy.Folder = filepath.Dir(path)
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return c, nil
}

// Check gives all that is wrong with the values, each with its key.
func (c Config) Check() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf(key+": "+format, args...))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fault("listen", "%q is not host:port", c.Listen)
	}
	if c.PublicURL != "" && !isURL(c.PublicURL) {
		fault("public_url", "%q is not an http or https URL", c.PublicURL)
	}
	if !filepath.IsAbs(c.State) {
		fault("state", "%q is not an absolute path", c.State)
	}
	c.Database.check(fault)
	if !filepath.IsAbs(c.Providers) {
		fault("providers", "%q is not an absolute path", c.Providers)
	}
	if !isURL(c.Keystone.AuthURL) {
		fault("keystone.auth_url", "%q is not an http or https URL", c.Keystone.AuthURL)
	}
	if c.Keystone.PasswordFile == "" {
		fault("keystone.password_file", "it is needed")
	}
	switch c.Keystone.Interface {
	case "public", "internal", "admin":
	default:
		fault("keystone.interface", "%q is none of public, internal and admin", c.Keystone.Interface)
	}
	if c.Keystone.Timeout < time.Second {
		fault("keystone.timeout", "%v is less than a second", c.Keystone.Timeout)
	}
	if len(c.Keystone.ServiceTokenRoles) == 0 {
		fault("keystone.service_token_roles", "there is none")
	}
	c.API.check(fault)
	c.Policy.check(fault)
	c.Operations.check(fault)
	c.Transfers.check(fault)
	c.Engine.check(fault)
	c.Quotas.check(fault)
	c.Triggers.check(fault)
	c.Schedules.check(fault)
	c.Services.check(fault)
	c.Upkeep.check(fault)
	c.Janitor.check(fault)
	c.Kubernetes.check(fault)
	c.Drills.check(fault)
	c.Log.check(fault)
	return errors.Join(faults...)
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
