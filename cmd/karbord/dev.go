package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/cmd/karbord/configured"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/testcloud"
)

// devOptions are the flags of karbord dev.
type devOptions struct {
	state       string
	listen      string
	cloudListen string
	logLevel    string
	example     bool
	minInterval time.Duration
	tokens      time.Duration
}

func devCommand() *cobra.Command {
	o := devOptions{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the service beside a simulated cloud, to try it out",
		Long: `Run all parts of the service in one process, beside a simulated OpenStack that
serves real HTTP and holds real bytes. Two tenants (demo, other) and an
administrator (admin) exist; their openrc files are written to the state folder.
When the first request can succeed, one line with the addresses is printed:

  ready api=http://127.0.0.1:8799 cloud=http://127.0.0.1:5000/v3 state=/path

With --example, the tenant demo has the application that the tenants' pages
protect: a server web with a volume, and a server db.

Nothing here is for production: the passwords are in the state folder.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDev(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.state, "state", "", "folder that keeps everything between runs (default: a temporary one, removed at the end)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8799", "address of the API; port 0 takes a free one")
	f.StringVar(&o.cloudListen, "cloud-listen", "127.0.0.1:5000", "address of the simulated cloud; port 0 takes a free one")
	f.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error")
	f.DurationVar(&o.minInterval, "min-interval", config.Default().Triggers.MinInterval, "least time between two runs of a trigger, at least 1s")
	f.DurationVar(&o.tokens, "token-lifetime", 4*time.Hour, "how long tokens of the simulated cloud last")
	f.BoolVar(&o.example, "example", false, "build a small application for the tenant demo, if there is none")
	return cmd
}

func runDev(ctx context.Context, o devOptions, out, errOut io.Writer) (err error) {
	state, remove, err := devState(o.state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	// The cloud's folder is in it too, and bears no second process either.
	lock, err := daemon.Lock(state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := config.Default()
	c.Log.Level = o.logLevel
	c.Listen = o.listen
	c.State = filepath.Join(state, "karbor")
	c.Providers = filepath.Join(state, "providers.d")
	c.Policy.Folder = state
	c.Operations.AdminReads = true
	if o.minInterval < time.Second {
		return fmt.Errorf("--min-interval: %v is less than a second, and times of triggers are whole seconds", o.minInterval)
	}
	c.Triggers.MinInterval = o.minInterval
	log := configured.Logger(errOut, c.Log)

	// The API's address is a part of the cloud's catalogue, so it comes first.
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listening for the API: %w", err)
	}
	cloud, err := testcloud.Start(ctx, testcloud.Options{
		Dir: filepath.Join(state, "cloud"), Listen: o.cloudListen, Logger: log, Now: time.Now, TokenTTL: o.tokens,
		DataProtectURL: "http://" + listener.Addr().String() + "/v1/%(project_id)s",
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	if err := writeDevFiles(state, c, cloud); err != nil {
		return errors.Join(err, listener.Close())
	}
	if o.example {
		demo, _ := cloud.User("demo")
		if err := writeExample(ctx, cloud.URL(), demo); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	service, _ := cloud.User("karbor")
	c.Keystone.AuthURL = cloud.URL()
	c.Keystone.PasswordFile = filepath.Join(state, "openrc-karbor")
	d, err := daemon.Open(ctx, daemon.Options{
		Config: c, Roles: daemon.AllRoles(), Version: version(), Listener: listener, Password: karbor.Secret(service.Password), Sets: sets(), Protectables: protectables(c.Kubernetes.Options()),
		Now: time.Now, Logger: log,
	})
	if err != nil {
		return err
	}
	return d.Run(ctx, func() {
		_, _ = fmt.Fprintf(out, "ready api=http://%s cloud=%s state=%s\n", d.Address(), cloud.URL(), state)
	})
}

// devState gives the folder of everything, and what removes a temporary one.
func devState(dir string) (state string, remove func() error, err error) {
	if dir == "" {
		state, err = os.MkdirTemp("", "karbord-dev-")
		return state, func() error { return os.RemoveAll(state) }, err
	}
	state, err = filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(state, 0o700)
	}
	return state, func() error { return nil }, err
}
