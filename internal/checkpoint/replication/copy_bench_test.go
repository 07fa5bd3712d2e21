package replication_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

// benchBytes is how much the checkpoint of the benchmark holds; half of it can't be compressed.
const benchBytes = 256 << 20

// BenchmarkCopy copies a checkpoint within one key domain from one bank of files to an empty one:
// as it is, and with a look at what has arrived. Before each copy, to compare with, its packs are
// copied as files, each synced: so both meet the same disk. x-files says how many times as long as
// that the copies took. It is to be 1.2 at most.
func BenchmarkCopy(b *testing.B) {
	key := keyring.Key(keyring.NewKey())
	root := b.TempDir()
	from, end := benchSource(b, filepath.Join(root, "from"), key)
	defer end()
	for _, name := range []string{"copied", "verified"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(benchBytes)
			var files time.Duration
			for range b.N {
				b.StopTimer()
				began := time.Now()
				copyPacks(b, filepath.Join(root, "from"), filepath.Join(root, "files"))
				files += time.Since(began)
				must(b, os.RemoveAll(filepath.Join(root, "files")))
				copyOnce(b, from, filepath.Join(root, name), key, name == "verified")
				b.StartTimer()
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed())/float64(files), "x-files")
		})
	}
}

// copyOnce copies the checkpoint into a new bank, and times that alone.
func copyOnce(b *testing.B, from replication.Side, dir string, key *keyring.Source, verified bool) {
	b.Helper()
	target, err := file.Open(b.Context(), file.Options{Path: dir})
	must(b, err)
	to, end := side(b, target, "two", key)
	must(b, to.Checkpoints.Lease().Acquire(b.Context()))
	c := &replication.Copier{From: from, To: to}
	if verified {
		c.Arrival = &replication.Arrival{State: verification.NewState()}
	}
	b.StartTimer()
	_, err = c.Copy(b.Context(), project, cpID)
	b.StopTimer()
	must(b, err)
	end()
	must(b, target.Close())
	must(b, os.RemoveAll(dir))
}

func benchSource(b *testing.B, dir string, key *keyring.Source) (replication.Side, func()) {
	b.Helper()
	source, err := file.Open(b.Context(), file.Options{Path: dir})
	must(b, err)
	s, end := side(b, source, "one", key)
	must(b, s.Checkpoints.Lease().Acquire(b.Context()))
	graph := &karbor.Graph{}
	graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: strings.TrimPrefix(string(volume), "volume/")}, "")
	must(b, s.Checkpoints.Create(b.Context(), karbor.Checkpoint{ID: cpID, ProjectID: project, ProviderID: "provider", Graph: graph,
		Plan: karbor.PlanRecord{ID: "plan", ProviderID: "provider"}, CreatedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}))
	w, err := streams(b, s).Create(b.Context(), "volume")
	must(b, err)
	random := rand.NewChaCha8([32]byte{1})
	piece := make([]byte, 1<<20)
	for range benchBytes / len(piece) {
		_, _ = random.Read(piece[:len(piece)/2])
		copy(piece[len(piece)/2:], strings.Repeat(fmt.Sprintf("%020d", random.Uint64()), len(piece)/40))
		_, err = w.Write(piece)
		must(b, err)
	}
	_, err = w.Commit(b.Context())
	must(b, err)
	must(b, s.Checkpoints.SetState(b.Context(), project, cpID, karbor.CheckpointAvailable, checkpoint.Change{Size: benchBytes}))
	return s, func() { end(); must(b, source.Close()) }
}

// copyPacks copies the files of packs, and syncs each.
func copyPacks(b *testing.B, from, to string) {
	b.Helper()
	must(b, os.MkdirAll(to, 0o700))
	n := 0
	must(b, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path, "/packs/") {
			return err
		}
		n++
		return copySynced(path, filepath.Join(to, strconv.Itoa(n)))
	}))
	if n == 0 {
		b.Fatal("there are no packs")
	}
}

// copySynced copies a file through memory, as any program does.
func copySynced(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Sync(), out.Close())
}
