package failure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	findimage "github.com/karbor/karbor/protectable/image"
	findnetwork "github.com/karbor/karbor/protectable/network"
	findproject "github.com/karbor/karbor/protectable/project"
	findserver "github.com/karbor/karbor/protectable/server"
	findvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/noop"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/server"
	"github.com/karbor/karbor/protection/volumeglance"
)

// orders is what the test binary gets when it is to be a process of the service.
type orders struct {
	State, Providers  string
	AuthURL, Password string
	Timeout           time.Duration
	Engine            config.Engine
	// EvidenceKey is the file of the key that signs the records of drills.
	EvidenceKey string
	// Disks are folders to put a small file system of their own on, and its size
	// in bytes. Others see it below /proc/PID/root.
	Disks map[string]int64
	// Doom, if given, is what the process dies of.
	Doom *doom
	// External, if given, is the network that drills make addresses in. Whoever connects to one
	// is let in: in the simulated cloud nobody else is there who could.
	External string
	// Settle is how long what the cloud gave no answer for is looked for; 0 for the default.
	Settle time.Duration
	// Sweeping has the janitor, and who buries what nobody works on, look all the time.
	Sweeping bool
}

const ordersVariable = "KARBOR_FAILURE_ORDERS"

// TestMain runs the tests, or a process of the service: this binary is both, so
// that no other has to be built, and the process runs under the race detector too.
func TestMain(m *testing.M) {
	text := os.Getenv(ordersVariable)
	if text == "" {
		// The tests wait more than they work.
		flag.Parse()
		if err := flag.Set("test.parallel", cmp.Or(together, parallel)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(withEngine(m))
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, "karbord:", err)
		os.Exit(1)
	}
}

func serve(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("reading the orders: %w", err)
	}
	for path, size := range o.Disks {
		if err := errors.Join(os.MkdirAll(path, 0o700), mountDisk(path, size)); err != nil {
			return fmt.Errorf("mounting a small disk: %w", err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := config.Default()
	c.Listen, c.State, c.Providers = "127.0.0.1:0", o.State, o.Providers
	c.Keystone.AuthURL, c.Keystone.Timeout = o.AuthURL, o.Timeout
	c.Operations.AdminReads, c.Engine = true, o.Engine
	c.Drills.KeyFile = o.EvidenceKey
	if o.Settle > 0 {
		c.Operations.Settle = o.Settle
	}
	if o.Sweeping {
		c.Upkeep.Interval, c.Janitor = time.Second, config.Janitor{Interval: 200 * time.Millisecond, Age: time.Millisecond, Remove: true}
	}
	if o.External != "" {
		c.Drills.ExternalNetwork, c.Drills.Source = o.External, "198.51.100.7"
	}
	linked := sets()
	if o.Doom != nil {
		linked = doomed(linked, *o.Doom)
	}
	d, err := daemon.Open(ctx, daemon.Options{
		Config: c, Password: karbor.Secret(o.Password), Sets: linked, Protectables: protectables(), Now: time.Now, Dial: lets(o.External),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	return d.Run(ctx, func() { fmt.Println("ready http://" + d.Address().String()) })
}

// lets gives what lets everybody in, if servers can be reached at all.
func lets(external string) func(context.Context, string, string) (net.Conn, error) {
	if external == "" {
		return nil
	}
	return func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		return here, there.Close()
	}
}

func sets() provider.Sets {
	return provider.Sets{
		Banks: plugin.Set[bank.Bank]{filebank.Plugin},
		Protections: plugin.Set[protection.Plugin]{
			image.Plugin, network.Plugin, noop.Plugin, project.Plugin, server.Plugin, volumeglance.Plugin,
		},
	}
}

func protectables() plugin.Set[protectable.Plugin] {
	return plugin.Set[protectable.Plugin]{
		findimage.Plugin, findnetwork.Plugin, findproject.Plugin, findserver.Plugin, findvolume.Plugin,
	}
}
