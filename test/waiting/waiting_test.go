package waiting

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/testcloud"
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

const (
	// smallGiB is how many bytes each GiB of a volume has where as good as none are to be moved.
	smallGiB = 4 << 10
	// randomGiB is how many it has where they are random, and so are all stored.
	randomGiB = 32 << 20
)

// BenchmarkVolumesAtOnce protects many volumes in one checkpoint: by snapshots, where the cloud's
// own time is that of one change of a state, and with their bytes, where the cores are busy. With what, is told by
// the same with as good as no bytes.
func BenchmarkVolumesAtOnce(b *testing.B) {
	b.Run("snapshots", func(b *testing.B) {
		s := newSite(b, *change, volumesnapshot.Name)
		took := s.measure(b, s.plan(b, *number), 0).took
		b.ReportMetric(100*(took-*change).Seconds()/change.Seconds(), "%-over-the-cloud's-time")
		b.ReportMetric(s.spread(b).Seconds(), "s-first-to-last-snapshot")
	})
	var idle measured
	b.Run("no-bytes", func(b *testing.B) {
		s := newGlanceSite(b, smallGiB)
		idle = s.measure(b, s.plan(b, *number), rarely)
		b.ReportMetric(idle.request()*1e3, "ms-of-CPU/request")
	})
	b.Run("random-bytes", func(b *testing.B) {
		s := newGlanceSite(b, randomGiB)
		s.measure(b, s.planOf(b, *number, s.random(b)), rarely).beside(b, idle)
	})
	b.Run("blank-bytes", func(b *testing.B) {
		s := newGlanceSite(b, 0)
		s.measure(b, s.plan(b, *number), rarely).beside(b, idle)
	})
}

// rarely is the pause between two looks of the benchmark itself at a checkpoint, where it is to cost next to nothing.
const rarely = time.Second

// newGlanceSite starts a cloud whose volumes have so many bytes for each GiB, and a service that keeps them.
func newGlanceSite(b *testing.B, gib int64) *site {
	return newSiteOf(b, func(o *testcloud.Options) { o.Timing.Change, o.VolumeGiB = time.Second, gib }, "{plugin: "+volumeglance.Name+"}")
}

// random has each volume made of an image of random bytes.
func (s *site) random(b *testing.B) func(int) map[string]any {
	d := newDweller(b, s)
	return func(n int) map[string]any {
		bytes := make([]byte, randomGiB)
		_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(bytes) // it never fails
		id := d.make("/image/v2/images", "", map[string]any{"name": fmt.Sprint("random-", n), "disk_format": "raw", "container_format": "bare"})
		d.send(http.MethodPut, "/image/v2/images/"+id+"/file", strings.NewReader(string(bytes)), "Content-Type", "application/octet-stream")
		return map[string]any{"imageRef": id}
	}
}

// measured is what a checkpoint took: of the clock, of CPU time with the cloud's, and requests, of which some were polls.
type measured struct {
	took, used   time.Duration
	asked, polls int
}

// request gives the seconds of CPU time for each request, where nothing else is counted.
func (m measured) request() float64 { return m.used.Seconds() / float64(m.asked) }

// beside reports what the bytes took of the CPU time, beside a run without any. A request costs there what the whole of
// that run did for each, the database's and the bank's work included: so it is too much for polls, and what is left for the
// bytes too little.
func (m measured) beside(b *testing.B, idle measured) {
	b.Helper()
	if idle.asked == 0 {
		return // it was not asked for
	}
	b.ReportMetric(100*float64(m.polls)*idle.request()/m.used.Seconds(), "%-of-the-CPU-polls-at-most")
	b.ReportMetric(100*(1-float64(m.asked)*idle.request()/m.used.Seconds()), "%-of-the-CPU-bytes-at-least")
}

// measure protects a plan, and looks whether that is over after each pause.
func (s *site) measure(b *testing.B, plan client.Plan, pause time.Duration) measured {
	b.Helper()
	before, begin := cpu(b), time.Now()
	s.cloud.Requests().Reset()
	s.protect(b, plan, func() { time.Sleep(pause) })
	m := measured{took: time.Since(begin), used: cpu(b) - before}
	for route, n := range s.cloud.Requests().Counts() {
		if m.asked += n; isPoll(route) {
			m.polls += n
		}
	}
	b.ReportMetric(m.took.Seconds(), "s-in-all")
	b.ReportMetric(m.used.Seconds(), "s-of-CPU-with-the-cloud")
	b.ReportMetric(float64(m.asked)/float64(*number), "requests/volume")
	b.ReportMetric(float64(m.polls)/float64(*number), "polls/volume")
	b.ReportMetric(100*m.used.Seconds()/m.took.Seconds(), "%-of-a-core-with-the-cloud")
	return m
}

// isPoll reports whether a route is one by which a wait looks at a single thing. A hook's first look at it is counted, too.
func isPoll(route string) bool {
	return strings.Contains(route, " GET ") && strings.HasSuffix(route, "/{id}")
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
