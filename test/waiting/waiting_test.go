package waiting

import (
	"flag"
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/protection/volumeglance"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

// protect makes a checkpoint, and calls during again and again until it is over.
func (s *site) protect(t testing.TB, plan client.Plan, during func()) client.Checkpoint {
	t.Helper()
	made, err := s.karbor.Checkpoints.Create(t.Context(), providerID, client.CheckpointRequest{PlanID: plan.ID})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		during()
		now, err := s.karbor.Checkpoints.Show(t.Context(), providerID, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		switch now.Status {
		case karbor.CheckpointAvailable:
			return now
		case karbor.CheckpointProtecting:
		default:
			t.Fatalf("the checkpoint is %s: %v", now.Status, now.Reasons)
		}
	}
	t.Fatal("the checkpoint does not come to an end")
	return client.Checkpoint{}
}

var (
	number = flag.Int("volumes", 50, "how many volumes the benchmark protects at once")
	change = flag.Duration("change", 10*time.Second, "how long the cloud takes for each change of a state")
)

// BenchmarkVolumesAtOnce protects many volumes in one checkpoint: by snapshots, where the cloud's
// own time is that of one change of a state, and with their bytes, where the cores are busy.
func BenchmarkVolumesAtOnce(b *testing.B) {
	b.Run("snapshots", func(b *testing.B) {
		s := newSite(b, *change, volumesnapshot.Name)
		took := s.measure(b)
		b.ReportMetric(100*(took-*change).Seconds()/change.Seconds(), "%-over-the-cloud's-time")
		b.ReportMetric(s.spread(b).Seconds(), "s-first-to-last-snapshot")
	})
	b.Run("bytes", func(b *testing.B) {
		newSite(b, time.Second, volumeglance.Name).measure(b)
	})
}

func (s *site) measure(b *testing.B) time.Duration {
	b.Helper()
	plan := s.plan(b, *number)
	before, begin := cpu(b), time.Now()
	s.cloud.Requests().Reset()
	s.protect(b, plan, func() {})
	took := time.Since(begin)
	used := cpu(b) - before
	asked := 0
	for n := range maps.Values(s.cloud.Requests().Counts()) {
		asked += n
	}
	b.ReportMetric(took.Seconds(), "s-in-all")
	b.ReportMetric(float64(asked)/float64(*number), "requests/volume")
	b.ReportMetric(100*used.Seconds()/took.Seconds(), "%-of-a-core-with-the-cloud")
	return took
}

// cpu gives the CPU time of this process, in which the cloud runs, too.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
