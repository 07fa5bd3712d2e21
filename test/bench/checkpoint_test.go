package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const noopProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02"

// BenchmarkNoopCheckpoint measures the CPU time of the whole process for one
// checkpoint of three resources by the no-op plug-in, from the request to
// available, with durable commits: in user space and the kernel, with all threads,
// the simulated cloud's Keystone, and the requests that ask whether it is over.
// "disk" has the state on a disk, "memory" in /dev/shm, where a sync costs nothing.
// One client makes one checkpoint after the other, and then four do so side by side.
// KARBOR_BENCH_AGAINST names another program, which is measured in turn with it.
func BenchmarkNoopCheckpoint(b *testing.B) {
	path := build(b)
	b.Run("disk", func(b *testing.B) { noopCheckpoint(b, path, folder(b)) })
	b.Run("memory", func(b *testing.B) {
		dir, err := os.MkdirTemp("/dev/shm", "karbor-bench-")
		if err != nil {
			b.Skip("this machine has no /dev/shm: " + err.Error())
		}
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		noopCheckpoint(b, path, dir)
	})
}

func noopCheckpoint(b *testing.B, path, dir string) {
	measured := []*noop{newNoop(b, path, filepath.Join(dir, "state"))}
	if other := os.Getenv("KARBOR_BENCH_AGAINST"); other != "" {
		measured = append(measured, newNoop(b, other, filepath.Join(dir, "against")))
	}
	const rounds = 9
	began := time.Now()
	for b.Loop() {
		for round := range rounds {
			for i := range measured { // they take turns at being the first
				m := measured[(i+round)%len(measured)]
				for c, clients := range noopClients {
					m.used[c] = append(m.used[c], m.round(b, clients))
				}
			}
		}
	}
	calibrate(b, dir)
	for i, m := range measured {
		suffix := ""
		if i > 0 {
			suffix = "-against"
		}
		m.stop(b)
		for c, clients := range noopClients {
			if testing.Verbose() {
				b.Logf("ms of CPU, clients: %d, round by round: %v", clients, m.used[c])
			}
			spread(b, fmt.Sprintf("ms-CPU/checkpoint-%d%s", clients, suffix), m.used[c])
		}
		b.ReportMetric(float64(m.asked.Load())/float64(len(noopClients)*rounds*noopRound), "GETs/checkpoint"+suffix)
	}
	total := float64(len(measured) * len(noopClients) * rounds * noopRound)
	b.ReportMetric(float64(time.Since(began).Milliseconds())/total, "ms/checkpoint")
	b.ReportMetric(5, "goal-ms-CPU/checkpoint")
	b.ReportMetric(0, "ns/op")
}

// noopClients is how many clients make checkpoints at once, in turn. The original
// service was measured with these.
var noopClients = [...]int{1, 4}

// noopRound is the number of checkpoints between two readings of the CPU time, which
// counts by 10 ms.
const noopRound = 52 // a multiple of each of noopClients

// noop is a program that makes checkpoints which move no data.
type noop struct {
	*karbord
	plan  string
	used  [len(noopClients)][]float64 // ms of CPU a checkpoint, of each round
	asked atomic.Int64
}

func newNoop(b *testing.B, path, state string) *noop {
	k := start(b, path, state)
	k.login(b)
	n := &noop{karbord: k, plan: k.noopPlan(b, 3)}
	for range 20 { // warm up
		if err := n.checkpoint(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// round has the clients make noopRound checkpoints, and gives the milliseconds of
// CPU that each took.
func (n *noop) round(b *testing.B, clients int) float64 {
	before := n.cpu(b)
	failed := make([]error, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for range noopRound / clients {
				if failed[c] = n.checkpoint(b.Context()); failed[c] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		b.Fatal(err)
	}
	return float64((n.cpu(b) - before).Microseconds()) / 1000 / noopRound
}

// noopPlan makes a plan of n new volumes of the simulated cloud.
func (k *karbord) noopPlan(b *testing.B, n int) string {
	b.Helper()
	resources := make([]string, n)
	for i := range resources {
		resources[i] = fmt.Sprintf(`{"id":%q,"type":"OS::Cinder::Volume","name":"v%d"}`, k.volume(b), i)
	}
	var plan struct{ Plan struct{ ID string } }
	k.do(b, "POST", "/plans", fmt.Sprintf(`{"plan":{"name":"p","provider_id":%q,"parameters":{},"resources":[%s]}}`,
		noopProvider, strings.Join(resources, ",")), &plan)
	return plan.Plan.ID
}

// checkpoint makes a checkpoint and waits until it is available.
func (n *noop) checkpoint(ctx context.Context) error {
	var cp struct{ Checkpoint struct{ ID, Status string } }
	checkpoints := n.api + "/v1/" + n.project + "/providers/" + noopProvider + "/checkpoints"
	if err := n.request(ctx, "POST", checkpoints, fmt.Sprintf(`{"checkpoint":{"plan_id":%q}}`, n.plan), &cp); err != nil {
		return err
	}
	for cp.Checkpoint.Status != "available" {
		if cp.Checkpoint.Status != "protecting" {
			return fmt.Errorf("checkpoint %s is %s", cp.Checkpoint.ID, cp.Checkpoint.Status)
		}
		time.Sleep(20 * time.Millisecond)
		n.asked.Add(1)
		if err := n.request(ctx, "GET", checkpoints+"/"+cp.Checkpoint.ID, "", &cp); err != nil {
			return err
		}
	}
	return nil
}
