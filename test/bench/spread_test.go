package bench

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// spread reports the median of what the rounds of a benchmark gave, with the
// smallest and the largest.
func spread(b *testing.B, unit string, rounds []float64) {
	b.Helper()
	slices.Sort(rounds)
	b.ReportMetric(rounds[len(rounds)/2], unit)
	b.ReportMetric(rounds[0], "min-"+unit)
	b.ReportMetric(rounds[len(rounds)-1], "max-"+unit)
}

// folder gives a new folder for a benchmark, below the folder that
// KARBOR_BENCH_DIR names, or among the temporary ones.
func folder(b *testing.B) string {
	b.Helper()
	base := os.Getenv("KARBOR_BENCH_DIR")
	if base == "" {
		return b.TempDir()
	}
	dir, err := os.MkdirTemp(base, "karbor-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// ownCPU gives the CPU time that this process has used.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// calibrate reports the CPU time of two small jobs, which tells how fast the
// machine and its disk were at that time: the SHA-256 of 16 MiB, and a file of 400
// bytes that is made, synced, and synced into its folder.
func calibrate(b *testing.B, dir string) {
	b.Helper()
	data, sums := make([]byte, 16<<20), []float64{}
	for range 7 {
		before := ownCPU(b)
		sha256.Sum256(data)
		sums = append(sums, float64((ownCPU(b)-before).Microseconds())/1000)
	}
	slices.Sort(sums)
	b.ReportMetric(sums[len(sums)/2], "ms-CPU/SHA-256-of-16-MiB")
	const files = 100
	top, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = top.Close() }()
	before := ownCPU(b)
	for range files {
		path := filepath.Join(dir, "calibration")
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		_, err = f.Write(data[:400])
		for _, e := range []error{err, f.Sync(), f.Close(), top.Sync(), os.Remove(path)} {
			if e != nil {
				b.Fatal(e)
			}
		}
	}
	b.ReportMetric(float64((ownCPU(b)-before).Microseconds())/files, "µs-CPU/synced-file")
}
