package testcloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/keystone"
)

// Options say where a cloud lives and how it behaves.
type Options struct {
	Dir    string // folder of state and bytes, made if need be; required
	Listen string // host:port; empty is 127.0.0.1:0
	// Timing says how long state changes take.
	Timing fabric.Timing
	// VolumeGiB is how many bytes each GiB of a volume has, in volumes, snapshots, backups and what is
	// compared with them; 0 is 1 GiB. It is for tests that move whole volumes: the API knows whole
	// GiB only, and a few MiB show as much. It must not change while there are volumes.
	VolumeGiB int64
	// TokenTTL is the life of a token; 0 is 4 h.
	TokenTTL time.Duration
	// Region is the region's name; empty is RegionOne.
	Region string
	// Home is the cloud that this one is a further region of, nil for none: it has that one's Keystone with its users
	// and projects, and services of its own, which stand in Home's catalog as those of Region. It must be
	// closed before Home. TokenTTL and DataProtectURL are Home's.
	Home *Cloud
	// DataProtectURL is the catalog's data-protect endpoint, and may hold
	// %(project_id)s. Empty: the catalog has none.
	DataProtectURL string
	Logger         *slog.Logger     // nil: no log
	Now            func() time.Time // required
}

// Cloud is a running cloud. It is safe for concurrent use.
type Cloud struct {
	fab      *fabric.Fabric
	keystone *keystone.Keystone
	services map[string]http.Handler // by the path's first part
	projects fabric.Projects
	region   string
	home     string // the base of the cloud that this is a region of; empty for none
	server   *http.Server
	serving  sync.WaitGroup

	mu      sync.Mutex
	closing bool
	busy    sync.WaitGroup
	once    sync.Once
	err     error
}

// Start opens the state in o.Dir, fills it if it is new, and serves the APIs.
// The context bounds the start, not the life: Close ends the cloud.
func Start(ctx context.Context, o Options) (*Cloud, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Region == "" {
		o.Region = "RegionOne"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Home != nil && o.Home.region == o.Region {
		return nil, fmt.Errorf("starting the test cloud: its home has a region %s already", o.Region)
	}
	if o.Dir == "" || o.Now == nil {
		return nil, errors.New("starting the test cloud: Dir and Now are required")
	}
	fab, err := fabric.Open(fabric.Options{Dir: o.Dir, Timing: o.Timing, VolumeGiB: o.VolumeGiB, Logger: o.Logger, Now: o.Now})
	if err != nil {
		return nil, fmt.Errorf("starting the test cloud: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the test cloud: %w", err), fab.Close())
	}
	fab.SetBase("http://" + reachable(listener.Addr()))
	c := &Cloud{fab: fab, region: o.Region}
	if err := c.build(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("filling the test cloud: %w", err), listener.Close(), fab.Close())
	}
	c.server = &http.Server{
		Handler: c, ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	c.serving.Go(func() {
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("serving the test cloud ended", "error", err)
		}
	})
	return c, nil
}

// reachable gives an address that a client on this machine can use.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// ServeHTTP gives a request to the service of its path.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to close the connection
	}
	c.busy.Add(1)
	c.mu.Unlock()
	defer c.busy.Done()
	part, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	service, ok := c.services[part]
	if !ok {
		service = c.keystone
	}
	service.ServeHTTP(w, r)
}

// URL is Keystone's: http://host:port/v3.
func (c *Cloud) URL() string { return cmp.Or(c.home, c.fab.Base()) + "/v3" }

// Faults are the rules about what shall go wrong.
func (c *Cloud) Faults() *fabric.Faults { return c.fab.Faults }

// Quotas are the projects' limits.
func (c *Cloud) Quotas() *fabric.Quotas { return c.fab.Quotas }

// Requests counts what was asked for.
func (c *Cloud) Requests() *fabric.Requests { return c.fab.Requests() }

// Keystone is the directory, for more projects, users and roles.
func (c *Cloud) Keystone() *keystone.Keystone { return c.keystone }

// Projects gives the ids of the seeded projects.
func (c *Cloud) Projects() fabric.Projects { return c.projects }

// Close ends the listener and every connection, stops the state changes under
// way (the next start goes on with them), and writes the state. It waits for
// all of it.
func (c *Cloud) Close() error {
	c.once.Do(func() {
		c.mu.Lock()
		c.closing = true
		c.mu.Unlock()
		c.fab.Clock.Close() // frees the requests that hang on a fault, too
		err := c.server.Close()
		c.serving.Wait()
		c.busy.Wait()
		c.err = errors.Join(err, c.fab.Close())
	})
	return c.err
}
