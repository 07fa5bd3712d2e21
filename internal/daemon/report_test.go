package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
)

// diary notes the reports, and fails when told to.
type diary struct {
	start  time.Time
	lines  []string
	broken atomic.Bool
}

func (d *diary) ReportService(_ context.Context, host, binary string) (karbor.Service, error) {
	if d.broken.Load() {
		return karbor.Service{}, errors.New("no database")
	}
	d.lines = append(d.lines, time.Since(d.start).String()+" "+host+" "+binary)
	return karbor.Service{}, nil
}

func TestServicesReportAtOnceAndAtTheirIntervalUntilTheyStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &diary{start: time.Now()}
		r, err := newReporter(config.Services{Host: "h1", ReportInterval: 10 * time.Second}, AllRoles().binaries(), d, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.run(ctx) }()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		d.broken.Store(true)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		d.broken.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var want []string
		for _, at := range []string{"0s", "10s", "40s"} {
			want = append(want, at+" h1 karbor-protection", at+" h1 karbor-operationengine")
		}
		if diff := cmp.Diff(want, d.lines); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
		if text := log.String(); strings.Count(text, "can't be written") != 1 || strings.Count(text, "written again") != 1 {
			t.Errorf("the log does not say once each that it failed and that it goes on:\n%s", text)
		}
	})
}

func TestTheHostIsTheMachineUnlessConfigured(t *testing.T) {
	r, err := newReporter(config.Services{}, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if name, err := os.Hostname(); err != nil || r.host != name {
		t.Errorf("the host is %q, the machine %q, %v", r.host, name, err)
	}
}
