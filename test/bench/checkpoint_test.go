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
	k := start(b, path, filepath.Join(dir, "state"))
	defer k.stop(b)
	k.login(b)
	plan := k.noopPlan(b, 3)
	for range 20 { // warm up
		k.checkpoint(b, noopProvider, plan)
	}
	const rounds, n = 7, 50
	var used []float64
	asked, began := 0, time.Now()
	for b.Loop() {
		for range rounds {
			before := k.cpu(b)
			for range n {
				asked += k.checkpoint(b, noopProvider, plan)
			}
			used = append(used, float64((k.cpu(b)-before).Microseconds())/1000/n)
		}
	}
	calibrate(b, dir)
	spread(b, "ms-CPU/checkpoint", used)
	total := float64(len(used) * n)
	b.ReportMetric(float64(time.Since(began).Milliseconds())/total, "ms/checkpoint")
	b.ReportMetric(float64(asked)/total, "GETs/checkpoint")
	b.ReportMetric(5, "goal-ms-CPU/checkpoint")
	b.ReportMetric(0, "ns/op")
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
