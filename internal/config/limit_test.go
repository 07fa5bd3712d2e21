package config

import (
	"strings"
	"testing"
)

func TestLimitsHaveBounds(t *testing.T) {
	sound := Default()
	sound.Keystone.AuthURL, sound.Keystone.PasswordFile = "http://k/v3", "p"
	if err := sound.Check(); err != nil {
		t.Fatal(err)
	}
	for key, change := range map[string]func(*Config){
		"operations.limits.service":          func(c *Config) { c.Operations.Limits.Service = -1 },
		"operations.limits.project":          func(c *Config) { c.Operations.Limits.Project = -5 },
		"operations.limits.provider":         func(c *Config) { c.Operations.Limits.Provider = -1 },
		"transfers.shared":                   func(c *Config) { c.Transfers.Shared = 0 },
		"transfers.most":                     func(c *Config) { c.Transfers.Most = 3 },
		"transfers.provider":                 func(c *Config) { c.Transfers.Provider = -1 },
		"transfers.project_bytes_per_second": func(c *Config) { c.Transfers.ProjectBytesPerSecond = 1000 },
	} {
		c := sound
		change(&c)
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("%s: got %v", key, err)
		}
	}
	none := sound
	none.Operations.Limits, none.Transfers = OperationLimits{}, Transfers{Shared: 1, Most: 1, ProjectBytesPerSecond: leastBytesPerSecond}
	if err := none.Check(); err != nil {
		t.Error(err)
	}
}
