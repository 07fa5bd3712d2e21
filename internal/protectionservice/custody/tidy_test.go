package custody

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

// silent is a bank that does not answer when it is asked for states.
type silent struct{ *banktest.Memory }

func (s silent) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if strings.HasPrefix(prefix, "v1/states/") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Memory.List(ctx, prefix, marker, limit)
}

func TestABankThatTakesTooLongIsToldOfAndDoesNotKeepTheRecordsOfDrillsFromTheirTurn(t *testing.T) {
	p, db := opened(t, silent{banktest.NewMemory()}, time.Now)
	var log bytes.Buffer
	k := New(Options{Store: db, Upkeep: Upkeep{Interval: time.Second}, Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	k.tidy(t.Context(), p)
	if text := log.String(); strings.Count(text, "failed; it is tried again") != 1 || !strings.Contains(text, `what="unfinished checkpoints and tombstones"`) {
		t.Errorf("the log has %q", text)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	log.Reset()
	if k.tidy(ended, p); log.Len() > 0 {
		t.Errorf("at the end of the process the log has %q", log.String())
	}
}
