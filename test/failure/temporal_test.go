//go:build temporal

package failure

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
)

const (
	// patience bounds what a test waits for; it never decides what is right.
	patience = 5 * time.Minute * slowness
	// takeOver is how long what a process did may lie still after its death: until the cluster
	// has missed its heartbeats.
	takeOver = 30 * time.Second
	// parallel is how many sites there are at a time: all share one cluster.
	parallel = "3"
)

// cluster is the real Temporal server that all tests share.
var cluster *temporaltest.Server

func withEngine(m *testing.M) int {
	var err error
	if cluster, err = temporaltest.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// newEngine gives a site a queue of its own.
func newEngine(*testing.T) config.Engine {
	e := config.Default().Engine
	e.Type, e.Temporal.Address, e.Temporal.Namespace, e.Temporal.Queue = config.TemporalEngine, cluster.Address, temporaltest.Namespace, karbor.NewID()
	return e
}
