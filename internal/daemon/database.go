package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/store"
)

// DatabaseOptions gives what a store needs of the configuration; it reads the files
// that the configuration names.
func DatabaseOptions(c config.Config, now func() time.Time, logger *slog.Logger) (store.Options, error) {
	password, err := c.Database.Password()
	if err != nil {
		return store.Options{}, err
	}
	ca, err := c.Database.CA()
	if err != nil {
		return store.Options{}, err
	}
	return store.Options{
		Now: now, Logger: logger, Upgrade: c.Database.AutoUpgrade,
		Window: c.Triggers.MinWindow, Runs: c.Schedules.KeptRuns,
		Server: store.Server{
			Password: password, TLS: c.Database.TLS, CA: ca, MaxConnections: c.Database.MaxConnections,
		},
	}, nil
}

func openStore(ctx context.Context, o Options) (*store.Store, error) {
	options, err := DatabaseOptions(o.Config, o.Now, o.Logger)
	if err != nil {
		return nil, err
	}
	options.Program = o.Version
	return store.Open(ctx, o.Config.DatabaseLocation(), options)
}
