//go:build temporal

package temporal_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/temporal"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
	"github.com/karbor/karbor/internal/workflow/workflowtest"
)

// server is the real server that all tests share.
var server *temporaltest.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if server, err = temporaltest.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// queues makes the names of task queues: each test has its own.
var queues atomic.Int64

// process is a running engine behind a network of its own.
type process struct {
	engine *temporal.Engine
	proxy  *temporaltest.Proxy
	end    context.CancelFunc
	over   chan struct{}
}

// start makes an engine and runs it.
func start(t testing.TB, options temporal.Options) *process {
	t.Helper()
	proxy, err := temporaltest.NewProxy(t.Context(), server.Address)
	if err != nil {
		t.Fatal(err)
	}
	options.Cluster = temporal.Cluster{Address: proxy.Address, Namespace: temporaltest.Namespace}
	if options.Now == nil {
		options.Now = time.Now
	}
	options.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	engine, err := temporal.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	p := &process{engine: engine, proxy: proxy, end: end, over: make(chan struct{})}
	go func() {
		defer close(p.over)
		if err := engine.Run(ctx); err != nil {
			t.Log(err)
		}
	}()
	return p
}

// front gives an engine that is no worker, as a process of the API has it.
func front(t *testing.T, options workflow.Options, queue string) *temporal.Engine {
	t.Helper()
	engine, err := temporal.Open(t.Context(), temporal.Options{
		Options: options, Queue: queue, Owner: "front", Now: time.Now,
		Cluster: temporal.Cluster{Address: server.Address, Namespace: temporaltest.Namespace},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

func (p *process) stop() {
	p.end()
	<-p.over
}

func (p *process) close(t testing.TB) {
	p.stop()
	if err := p.engine.Close(); err != nil {
		t.Error(err)
	}
	if err := p.proxy.Close(); err != nil {
		t.Error(err)
	}
}

func TestTemporalKeepsTheContract(t *testing.T) {
	workflowtest.Run(t, func(t *testing.T, options workflow.Options) workflowtest.Harness {
		queue := fmt.Sprint("queue-", queues.Add(1))
		all := []*process{}
		run := func(b workflowtest.Beside) *process {
			owner := fmt.Sprint("process-", len(all))
			if b.Twin {
				owner = "process-0"
			}
			now := func() time.Time { return time.Now().Add(b.Ahead) }
			p := start(t, temporal.Options{Options: options, Queue: queue, Owner: owner, Now: now})
			all = append(all, p)
			return p
		}
		current := run(workflowtest.Beside{})
		frozen := current
		t.Cleanup(func() {
			for _, p := range all {
				p.close(t)
			}
		})
		return workflowtest.Harness{
			Engine: front(t, options, queue),
			// The machine may be busy with other things.
			Patience: 10 * time.Minute,
			Stop:     func() { current.stop() },
			Kill: func() {
				current.proxy.Cut()
				current.end()
			},
			Freeze: func() {
				frozen = current
				current.proxy.Freeze()
			},
			Thaw: func() { frozen.proxy.Thaw() },
			Restart: func() workflow.Engine {
				current = run(workflowtest.Beside{})
				return current.engine
			},
			Beside: func(b workflowtest.Beside) workflow.Engine {
				current = run(b)
				return current.engine
			},
		}
	})
}
