package chunks_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/chunks"
)

// repeated gives size bytes that repeat one random MiB.
type repeated struct {
	block []byte
	left  int64
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.block[r.at:])
	r.left -= int64(n)
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// residentPeak gives the most memory that the process has had, in bytes.
func residentPeak(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	var kib int64
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				b.Fatal(err)
			}
		}
	}
	return kib << 10
}

// BenchmarkChunksToFileBank1GiB compares storing 1 GiB in a file bank with copying
// it to a file while computing its SHA-256. Each round does both, in turn, in the
// same folder (KARBOR_BENCH_DIR, or a temporary one). The metrics are the median
// speeds, the ratio of the speeds within a round (above 1 is faster than the copy:
// the median, the smallest, the largest), the same of the CPU times (above 1 takes
// less than the copy), and the growth of the process.
func BenchmarkChunksToFileBank1GiB(b *testing.B) {
	const size = 1 << 30
	block := random(1 << 20)
	dir := b.TempDir()
	if base := os.Getenv("KARBOR_BENCH_DIR"); base != "" {
		dir = filepath.Join(base, "karbor-bench")
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	fb, err := file.Open(b.Context(), file.Options{Path: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = fb.Close() }()
	section, err := bank.NewSection(fb, "node/data")
	if err != nil {
		b.Fatal(err)
	}
	c, err := chunks.New(section, chunks.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var copies, stored, speeds, cpus []float64
	b.SetBytes(size)
	runtime.GC()
	debug.FreeOSMemory()
	before := residentPeak(b)
	for b.Loop() {
		start, used := time.Now(), cpu(b)
		baseline(b, filepath.Join(dir, "=copy"), &repeated{block: block, left: size})
		copies = append(copies, time.Since(start).Seconds())
		copyCPU := cpu(b) - used
		start, used = time.Now(), cpu(b)
		w, err := c.Create(b.Context(), "x")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(w, &repeated{block: block, left: size}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		stored = append(stored, time.Since(start).Seconds())
		speeds = append(speeds, copies[len(copies)-1]/stored[len(stored)-1])
		cpus = append(cpus, copyCPU.Seconds()/(cpu(b)-used).Seconds())
		if err := c.Remove(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
	}
	for _, values := range [][]float64{copies, stored, speeds, cpus} {
		slices.Sort(values)
	}
	median := len(copies) / 2
	b.ReportMetric(size/copies[median]/1e6, "copy-MB/s")
	b.ReportMetric(size/stored[median]/1e6, "chunks-MB/s")
	b.ReportMetric(speeds[median], "speed-ratio")
	b.ReportMetric(speeds[0], "min-speed-ratio")
	b.ReportMetric(speeds[len(speeds)-1], "max-speed-ratio")
	b.ReportMetric(cpus[median], "CPU-ratio")
	b.ReportMetric(float64(residentPeak(b)-before)/(1<<20), "MiB-grown")
}

// cpu gives the CPU time that the process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// baseline copies a stream to a durable file and computes its SHA-256.
func baseline(b *testing.B, path string, r io.Reader) {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.New()
	_, err = io.CopyBuffer(io.MultiWriter(f, sum), r, make([]byte, 1<<20))
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(path)); err != nil {
		b.Fatal(err)
	}
}
