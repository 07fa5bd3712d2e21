package daemon

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/health"
	"github.com/karbor/karbor/internal/api/serving"
	"github.com/karbor/karbor/internal/config"
)

// front is the part of the process that serves the API.
type front struct {
	server  *serving.Server
	handler http.Handler
	health  *health.Board
	// endStreams ends the answers that go on.
	endStreams func()
	// delay is how long the health check says 503 before the end, and timeout how
	// long requests may go on then.
	delay, timeout time.Duration
}

// openFront makes the server of routes. options has what the handler needs; the
// configuration adds the rest.
func openFront(o Options, options api.Options, checks []health.Check) (*front, error) {
	c := o.Config.API
	f := &front{delay: c.ShutdownDelay, timeout: c.ShutdownTimeout}
	f.health = health.New(health.Options{Checks: checks, Now: o.Now, Logger: o.Logger})
	options.PublicURL = o.Config.PublicURL
	options.Limits = api.Limits{
		Body: c.Limits.BodyBytes, Header: c.Limits.HeaderBytes, InFlight: c.Limits.InFlight, Working: working(o.Config),
		Rate: c.RateLimit.PerSecond, Burst: c.RateLimit.Burst,
		// What comes later could not be sent any more: a tenth is left to say so.
		Time: c.Timeouts.Write / 10 * 9,
	}
	options.Proxies, options.HealthSources = c.Proxies(), c.Sources()
	options.NoAccessLog = !c.AccessLog
	options.Health = f.health
	options.Logger, options.Now = o.Logger, o.Now
	handler, err := api.New(options)
	if err != nil {
		return nil, fmt.Errorf("making the API: %w", err)
	}
	f.handler, f.endStreams = handler, handler.EndStreams
	f.server, err = serving.New(serving.Options{
		Handler: handler, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, H2C: c.H2C,
		HeaderLimit: c.Limits.HeaderBytes, Connections: c.Limits.Connections,
		ReadHeader: c.Timeouts.ReadHeader, Read: c.Timeouts.Read, Write: c.Timeouts.Write, Idle: c.Timeouts.Idle,
		Now: o.Now, Logger: o.Logger,
	})
	return f, err
}

// onServer is how many more requests are worked on at a time where the database is on a
// server: most of the time they wait for it.
const onServer = 4

// working is how many requests are worked on at a time; 0 is the API's own choice.
func working(c config.Config) int {
	if c.API.Limits.Working == 0 && c.Database.URL != "" && !strings.HasPrefix(c.Database.URL, "sqlite:") {
		return onServer * api.DefaultWorking()
	}
	return c.API.Limits.Working
}

// stop ends the serving: load balancers are told first, requests that run may finish.
func (f *front) stop(ctx context.Context) error {
	f.health.Stopping()
	timer := time.NewTimer(f.delay)
	defer timer.Stop()
	<-timer.C
	f.endStreams()
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	return f.server.Stop(finish)
}

// checks gives what the health check looks after. Without its database an API node
// serves nothing; all else is needed for some requests only, and by all nodes.
func (d *Daemon) checks() []health.Check {
	out := []health.Check{
		{Name: "database", Essential: true, Run: d.store.Ping},
		{Name: "Keystone", Run: d.authority.Ping},
	}
	if !d.roles.Protection {
		return out
	}
	out = append(out, health.Check{Name: "engine", Run: func(context.Context) error {
		if d.running.Load() {
			return nil
		}
		return karbor.Transientf("the engine does not run")
	}})
	for _, p := range d.providers {
		out = append(out, health.Check{Name: "bank of " + p.Name, Run: p.Ping})
	}
	return out
}

// Handler is the API itself, for those who call it without a connection.
func (d *Daemon) Handler() http.Handler { return d.front.handler }

// Scheme is http or https: how clients reach the API's address.
func (d *Daemon) Scheme() string {
	if d.front.server.TLS() {
		return "https"
	}
	return "http"
}
