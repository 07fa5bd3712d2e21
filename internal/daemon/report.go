package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
)

// reporter keeps the list of services up to date: it notes at an interval that
// the services of this process run.
type reporter struct {
	store    reports
	host     string
	services []string
	interval time.Duration
	log      *slog.Logger
}

// reports is where reports go; store.Store is one.
type reports interface {
	ReportService(ctx context.Context, host, binary string) (karbor.Service, error)
}

func newReporter(c config.Services, services []string, store reports, log *slog.Logger) (*reporter, error) {
	host := c.Host
	if host == "" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("reading the machine's name: %w", err)
		}
	}
	return &reporter{store: store, host: host, services: services, interval: c.ReportInterval, log: log}, nil
}

// run reports until ctx ends. A report that fails is made up for by the next one.
func (r *reporter) run(ctx context.Context) error {
	tick := time.NewTicker(r.interval)
	defer tick.Stop()
	failing := false
	for {
		err := r.report(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			r.log.WarnContext(ctx, "the list of services can't be written; it is tried again", "error", err)
		case err == nil && failing:
			r.log.InfoContext(ctx, "the list of services is written again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *reporter) report(ctx context.Context) error {
	// A report that takes longer than this is worth nothing any more.
	ctx, cancel := context.WithTimeout(ctx, r.interval)
	defer cancel()
	for _, binary := range r.services {
		if _, err := r.store.ReportService(ctx, r.host, binary); err != nil {
			return err
		}
	}
	return nil
}
