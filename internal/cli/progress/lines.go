package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// lineEvery is how often a resource whose bytes move gets a new line.
const lineEvery = 10 * time.Second

// lines prints a line whenever a resource's state changes, and now and then
// while its bytes move. A resource that has not begun has none.
type lines struct {
	w     io.Writer
	now   func() time.Time
	start time.Time
	seen  map[string]line
}

type line struct {
	state, phase string
	done         int64
	at           time.Time
}

func newLines(w io.Writer, now func() time.Time) *lines {
	return &lines{w: w, now: now, start: now(), seen: map[string]line{}}
}

// Update implements Display.
func (l *lines) Update(progress []client.Progress) {
	now := l.now()
	for _, p := range progress {
		last, known := l.seen[key(p)]
		if !known && p.State == karbor.ResourcePending {
			continue
		}
		changed := !known || last.state != string(p.State) || last.phase != p.Phase
		moved := last.done != p.BytesDone && now.Sub(last.at) >= lineEvery
		if !changed && !moved {
			continue
		}
		l.seen[key(p)] = line{string(p.State), p.Phase, p.BytesDone, now}
		// A display that can't be written is no reason to stop the operation.
		_, _ = fmt.Fprintf(l.w, "%6s  %s: %s\n", now.Sub(l.start).Round(time.Second), title(p), state(p))
	}
}

// Close implements Display.
func (l *lines) Close() {}
