package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const noopProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02"

// BenchmarkNoopCheckpoint measures the CPU time of the whole process for one
// checkpoint of three resources by the no-op plug-in, from the request to
// available, with durable commits: in user space and the kernel, with all threads,
// the simulated cloud's Keystone, and the requests that ask whether it is over.
// "disk" has the state on a disk, "memory" in /dev/shm, where a sync costs nothing.
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
				measured[(i+round)%len(measured)].round(b)
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
		if testing.Verbose() {
			b.Logf("ms of CPU, round by round: %v", m.used)
		}
		spread(b, "ms-CPU/checkpoint"+suffix, m.used)
		b.ReportMetric(float64(m.asked)/float64(len(m.used)*noopRound), "GETs/checkpoint"+suffix)
	}
	total := float64(len(measured) * len(measured[0].used) * noopRound)
	b.ReportMetric(float64(time.Since(began).Milliseconds())/total, "ms/checkpoint")
	b.ReportMetric(5, "goal-ms-CPU/checkpoint")
	b.ReportMetric(0, "ns/op")
}

// noopRound is the number of checkpoints between two readings of the CPU time, which
// counts by 10 ms.
const noopRound = 50

// noop is a program that makes checkpoints which move no data.
type noop struct {
	*karbord
	plan  string
	used  []float64
	asked int
}

func newNoop(b *testing.B, path, state string) *noop {
	k := start(b, path, state)
	k.login(b)
	n := &noop{karbord: k, plan: k.noopPlan(b, 3)}
	for range 20 { // warm up
		k.checkpoint(b, noopProvider, n.plan)
	}
	return n
}

func (n *noop) round(b *testing.B) {
	before := n.cpu(b)
	for range noopRound {
		n.asked += n.checkpoint(b, noopProvider, n.plan)
	}
	n.used = append(n.used, float64((n.cpu(b)-before).Microseconds())/1000/noopRound)
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

// checkpoint makes a checkpoint and waits until it is available. It gives the
// number of requests that asked.
func (k *karbord) checkpoint(b *testing.B, provider, plan string) int {
	b.Helper()
	var cp struct{ Checkpoint struct{ ID, Status string } }
	checkpoints := "/providers/" + provider + "/checkpoints"
	k.do(b, "POST", checkpoints, fmt.Sprintf(`{"checkpoint":{"plan_id":%q}}`, plan), &cp)
	asked := 0
	for ; cp.Checkpoint.Status != "available"; asked++ {
		if cp.Checkpoint.Status != "protecting" {
			b.Fatalf("checkpoint %s is %s", cp.Checkpoint.ID, cp.Checkpoint.Status)
		}
		time.Sleep(20 * time.Millisecond)
		k.do(b, "GET", checkpoints+"/"+cp.Checkpoint.ID, "", &cp)
	}
	return asked
}
