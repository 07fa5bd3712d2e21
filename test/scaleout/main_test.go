//go:build temporal

package scaleout

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/bank/s3"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	findimage "github.com/karbor/karbor/protectable/image"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/noop"
)

// orders is what the test binary gets when it is to be a process of the service.
type orders struct {
	Config   config.Config
	Roles    daemon.Roles
	Password string
}

const ordersVariable = "KARBOR_SCALEOUT_ORDERS"

// cluster is the real Temporal server that all tests share.
var cluster *temporaltest.Server

// TestMain runs the tests, or a process of the service: this binary is both.
func TestMain(m *testing.M) {
	if text := os.Getenv(ordersVariable); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, "karbord:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(everywhere(m))
}

func run(m *testing.M) int {
	var err error
	if cluster, err = temporaltest.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := stopServers(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

func serve(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("reading the orders: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	d, err := daemon.Open(ctx, daemon.Options{
		Config: o.Config, Roles: o.Roles, Password: karbor.Secret(o.Password), Sets: sets(o.Roles), Now: time.Now,
		Protectables: plugin.Set[protectable.Plugin]{findimage.Plugin},
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	return d.Run(ctx, func() {
		if a := d.Address(); a != nil {
			fmt.Println("ready http://" + a.String())
			return
		}
		fmt.Println("ready")
	})
}

// sets are the plug-ins of a process. One that has no work to do with the banks must not
// open any.
func sets(roles daemon.Roles) provider.Sets {
	banks := plugin.Set[bank.Bank]{filebank.Plugin, gatedBank, lateBank, s3.Plugin(s3.Host{Now: time.Now, Getenv: os.Getenv})}
	if !roles.Protection {
		for i, b := range banks {
			banks[i] = plugin.Define(b.Name(), b.Summary(), func() any { return nil }, func(context.Context, any) (bank.Bank, error) {
				panic("a process without the role opens a bank")
			})
		}
	}
	return provider.Sets{
		Banks:       banks,
		Protections: plugin.Set[protection.Plugin]{image.Plugin, noop.Plugin, emptyHook},
	}
}
