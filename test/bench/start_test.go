package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkStart measures the time from exec to the ready line on a warm disk, and
// the resident memory two seconds later, when nothing has been asked of it.
func BenchmarkStart(b *testing.B) {
	path := build(b)
	state := filepath.Join(folder(b), "state")
	start(b, path, state).stop(b) // the first start fills the state folder
	var ready, resident []float64
	const rounds = 7
	for b.Loop() {
		for range rounds {
			began := time.Now()
			k := start(b, path, state)
			ready = append(ready, float64(time.Since(began).Microseconds())/1000)
			time.Sleep(2 * time.Second) // idle
			resident = append(resident, float64(k.rss(b))/1e6)
			k.stop(b)
		}
	}
	spread(b, "ms-to-ready", ready)
	spread(b, "MB-RSS-idle", resident)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstBuild builds the programs with empty caches of modules and of
// packages. It needs the network, so it runs only if KARBOR_BENCH_NETWORK is set.
func BenchmarkFirstBuild(b *testing.B) {
	if os.Getenv("KARBOR_BENCH_NETWORK") == "" {
		b.Skip("KARBOR_BENCH_NETWORK is not set: this downloads all modules")
	}
	for b.Loop() {
		dir := folder(b)
		env := append(os.Environ(), "CGO_ENABLED=0", "GOMODCACHE="+filepath.Join(dir, "modules"),
			"GOCACHE="+filepath.Join(dir, "packages"), "GOFLAGS=-modcacherw")
		run := func(args ...string) (wall, cpu time.Duration) {
			cmd := exec.Command("go", args...)
			cmd.Env, cmd.Stderr = env, os.Stderr
			began := time.Now()
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			return time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		const programs = "github.com/karbor/karbor/cmd/..."
		fetch, _ := run("list", "-deps", programs)
		compile, cpu := run("build", "-trimpath", "-o", dir+"/", programs)
		b.ReportMetric(fetch.Seconds(), "s-download")
		b.ReportMetric(compile.Seconds(), "s-build")
		b.ReportMetric(cpu.Seconds(), "s-CPU-build")
	}
	b.ReportMetric(0, "ns/op")
}
