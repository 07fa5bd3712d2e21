// Package configured gives karbord's commands what the configuration names: the flag for its file,
// the database, the log.
package configured

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/store"
)

// The flag that names the configuration file, and the file that it names by itself.
const (
	Flag    = "config"
	Default = "/etc/karbor/karbord.yaml"
)

// AddFlag adds the flag that names the configuration file.
func AddFlag(f *pflag.FlagSet) { f.String(Flag, Default, "configuration file") }

// Load reads the configuration that the command's flag names.
func Load(cmd *cobra.Command) (config.Config, error) {
	path, err := cmd.Flags().GetString(Flag)
	if err != nil {
		return config.Config{}, err
	}
	return config.Load(path)
}

// Database is the one that the configuration names.
type Database struct {
	Config   config.Config
	Location string
	Options  store.Options
}

// OpenDatabase reads the configuration. It does not call the database.
func OpenDatabase(cmd *cobra.Command) (Database, error) {
	c, err := Load(cmd)
	if err != nil {
		return Database{}, err
	}
	options, err := daemon.DatabaseOptions(c, time.Now, Logger(cmd.ErrOrStderr(), c.Log))
	return Database{Config: c, Location: c.DatabaseLocation(), Options: options}, err
}

// IsFile reports whether the database is a file.
func (d Database) IsFile() bool {
	return !strings.Contains(d.Location, "://") || strings.HasPrefix(d.Location, "sqlite:")
}
