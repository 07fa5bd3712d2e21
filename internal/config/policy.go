package config

import (
	"path/filepath"
	"time"
)

// Policy says who may do what.
type Policy struct {
	// File is the policy file. "" takes policy.yaml or policy.json beside the
	// configuration file, where one is there.
	File string `yaml:"file"`
	// EnforceNewDefaults ends what the old service allowed: that a role which is none
	// of Karbor's reads and writes in its project.
	EnforceNewDefaults bool `yaml:"enforce_new_defaults"`
	// ReloadInterval is how often the policy file is looked at.
	ReloadInterval time.Duration `yaml:"reload_interval"`
	// Folder is where the policy file is looked for without File: the folder of the
	// configuration file. "" looks nowhere.
	Folder string `yaml:"-"`
}

func defaultPolicy() Policy { return Policy{ReloadInterval: 10 * time.Second} }

// Files gives the places where the policy file may lie, the first one first, and
// whether one must be there.
func (p Policy) Files() (paths []string, required bool) {
	switch {
	case p.File != "":
		return []string{p.File}, true
	case p.Folder == "":
		return nil, false
	}
	return []string{filepath.Join(p.Folder, "policy.yaml"), filepath.Join(p.Folder, "policy.json")}, false
}

// check gives what is wrong with the values to fault.
func (p Policy) check(fault func(key, format string, args ...any)) {
	if p.File != "" && !filepath.IsAbs(p.File) {
		fault("policy.file", "%q is not an absolute path", p.File)
	}
	if p.ReloadInterval < time.Second {
		fault("policy.reload_interval", "%v is less than a second", p.ReloadInterval)
	}
}
