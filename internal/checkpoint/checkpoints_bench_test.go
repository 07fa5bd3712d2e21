package checkpoint

import (
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/file"
)

// cpu gives the CPU time that the process has used, in user space and in the
// kernel.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkNoopCheckpoint is the bank's part of a checkpoint that moves no data:
// created, one document for its node, made available. Next to the time, which is
// mostly the disk's, it reports the CPU time.
func BenchmarkNoopCheckpoint(b *testing.B) {
	for _, kind := range []struct {
		name string
		open func() (bank.Bank, error)
	}{
		{"memory", func() (bank.Bank, error) { return banktest.NewMemory(), nil }},
		{"file", func() (bank.Bank, error) { return file.Open(b.Context(), file.Options{Path: b.TempDir()}) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			store, err := kind.open()
			must(b, err)
			defer func() { _ = store.Close() }()
			cs, err := Open(b.Context(), store, Options{Owner: "a", Now: time.Now})
			must(b, err)
			must(b, cs.Lease().Acquire(b.Context()))
			cp := sample()
			before := cpu(b)
			for b.Loop() {
				cp.ID = karbor.NewID()
				cp.CreatedAt = cp.CreatedAt.Add(time.Second)
				must(b, cs.Create(b.Context(), cp))
				docs, err := cs.Section(cp.ProjectID, cp.ID, karbor.NodeKey("volume/"+volumeID))
				must(b, err)
				must(b, docs.CreateJSON(b.Context(), "metadata", "x"))
				must(b, cs.SetState(b.Context(), cp.ProjectID, cp.ID, karbor.CheckpointAvailable, Change{}))
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
