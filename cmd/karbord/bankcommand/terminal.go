package bankcommand

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"
)

// progressEvery is how often a line of progress is drawn anew.
const progressEvery = 200 * time.Millisecond

// progressLine shows on a terminal how far a command is: one line that is drawn over.
// Elsewhere it shows nothing. Its methods may be called concurrently.
type progressLine struct {
	out   io.Writer // nil shows nothing
	now   func() time.Time
	begun time.Time

	mu    sync.Mutex
	drawn time.Time
}

// progress gives the line for a command that writes its progress to out.
func (f *bankFlags) progress(out io.Writer) *progressLine {
	p := &progressLine{now: time.Now, begun: time.Now()}
	if file, ok := out.(*os.File); ok && !f.quiet && term.IsTerminal(int(file.Fd())) {
		p.out = out
	}
	return p
}

// objects shows a number of things of which nobody knows how many there are.
func (p *progressLine) objects(what string) func(int64) {
	return func(n int64) { p.draw(fmt.Sprintf("%d %s", n, what)) }
}

// bytes shows how many bytes of how many are done.
func (p *progressLine) bytes(what string) func(done, total int64) {
	return func(done, total int64) {
		text := fmt.Sprintf("%s: %s", what, size(done))
		if total > 0 {
			text = fmt.Sprintf("%s: %3d%%  %s of %s", what, done*100/total, size(done), size(total))
		}
		if seconds := p.now().Sub(p.begun).Seconds(); seconds > 1 {
			text += fmt.Sprintf("  %s/s", size(int64(float64(done)/seconds)))
		}
		p.draw(text)
	}
}

func (p *progressLine) draw(text string) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.drawn) >= progressEvery {
		p.drawn = now
		// A terminal that can't be written is no reason to stop.
		_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", text)
	}
}

// end wipes the line.
func (p *progressLine) end() {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.drawn.IsZero() {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// size gives a number of bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/unit, "KMGTPE"
	for value >= 1023.95 && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", value, units[0])
}

// printable gives a text from a bank as a terminal may get it: what would steer the terminal
// is written as Go writes it.
func printable(text string) string {
	if !strings.ContainsFunc(text, unprintable) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) && r != ' ' }
