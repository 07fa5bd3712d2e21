package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func volume(state karbor.ResourceState, phase string, done, total int64) client.Progress {
	return client.Progress{Type: karbor.VolumeType, ID: "1", Name: "data", State: state, Phase: phase, BytesDone: done, BytesTotal: total}
}

func TestLinesComeWithChangesAndNowAndThenWithBytes(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	d := New(&out, false, func() time.Time { return now })
	d.Update([]client.Progress{volume(karbor.ResourcePending, "", 0, 0)})
	for i := range 25 {
		now = time.Unix(int64(i), 0)
		d.Update([]client.Progress{volume(karbor.ResourceProtecting, "main", int64(i)<<20, 25<<20)})
	}
	d.Update([]client.Progress{volume(karbor.ResourceAvailable, "", 25<<20, 25<<20)})
	d.Update([]client.Progress{volume(karbor.ResourceAvailable, "", 25<<20, 25<<20)})
	d.Close()
	want := `    0s  volume data: protecting (main) 0 B of 25.0 MiB
   10s  volume data: protecting (main) 10.0 MiB of 25.0 MiB
   20s  volume data: protecting (main) 20.0 MiB of 25.0 MiB
   24s  volume data: available 25.0 MiB
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestStateSaysWhatIsKnown(t *testing.T) {
	for want, p := range map[string]client.Progress{
		"pending":                        volume(karbor.ResourcePending, "", 0, 0),
		"protecting (main) 5 B":          volume(karbor.ResourceProtecting, "main", 5, 0),
		"protecting (main) 5 B of 9 B":   volume(karbor.ResourceProtecting, "main", 5, 9),
		"available 9 B":                  volume(karbor.ResourceAvailable, "main", 9, 9),
		"error 5 B of 9 B: it went away": {State: karbor.ResourceError, BytesDone: 5, BytesTotal: 9, Reason: "it went away"},
	} {
		if got := state(p); got != want {
			t.Errorf("state %q, not %q", got, want)
		}
	}
}

// TestBarsEndInEveryState fails by its time limit when a bar waits for ever.
func TestBarsEndInEveryState(t *testing.T) {
	for name, last := range map[string]client.Progress{
		"done":             volume(karbor.ResourceAvailable, "", 9, 9),
		"done, no bytes":   volume(karbor.ResourceAvailable, "", 0, 0),
		"failed":           volume(karbor.ResourceError, "", 3, 9),
		"still under way":  volume(karbor.ResourceProtecting, "main", 3, 9),
		"all bytes, going": volume(karbor.ResourceProtecting, "complete", 9, 9),
	} {
		var out bytes.Buffer
		d := New(&out, true, time.Now)
		d.Update([]client.Progress{volume(karbor.ResourcePending, "", 0, 0)})
		d.Update([]client.Progress{volume(karbor.ResourceProtecting, "main", 1, 9)})
		d.Update([]client.Progress{last})
		d.Update([]client.Progress{last})
		d.Close()
		if !strings.Contains(out.String(), "volume data") {
			t.Errorf("%s: the bar has no title: %q", name, out.String())
		}
	}
	New(&bytes.Buffer{}, true, time.Now).Close()
}

func TestSizeUsesBinaryUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 30: "1.0 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %q, not %q", n, got, want)
		}
	}
}
