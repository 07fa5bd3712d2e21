package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printer writes the story's steps. What it writes is for a human who looks on:
// a line that can't be written changes nothing.
type printer struct {
	w      io.Writer
	number int
	times  []timing
}

type timing struct {
	what string
	took time.Duration
}

// step runs one numbered step and prints how long it took.
func (p *printer) step(what string, do func() error) error {
	p.number++
	_, _ = fmt.Fprintf(p.w, "\n%2d. %s\n", p.number, what)
	start := time.Now()
	err := do()
	took := time.Since(start).Round(time.Millisecond)
	p.times = append(p.times, timing{what, took})
	if err == nil {
		p.note("done in %s", took)
	}
	return err
}

// note prints a remark below a step.
func (p *printer) note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, "    "+format+"\n", args...)
}

// line prints a line of its own.
func (p *printer) line(text string) { _, _ = fmt.Fprintf(p.w, "\n%s\n", text) }

// show prints what a command printed, indented.
func (p *printer) show(lines []byte) {
	start := 0
	for i, b := range lines {
		if b == '\n' {
			p.note("%s", lines[start:i])
			start = i + 1
		}
	}
}

// indenter moves lines to the right, below their step.
type indenter struct {
	w    io.Writer
	line bool // in the middle of a line
}

// Write implements io.Writer.
func (i *indenter) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		if !i.line {
			if _, err := io.WriteString(i.w, "    "); err != nil {
				return 0, err
			}
		}
		if _, err := i.w.Write(part); err != nil {
			return 0, err
		}
		i.line = !bytes.HasSuffix(part, []byte("\n"))
	}
	return len(p), nil
}

// check is one comparison.
type check struct {
	what  string
	how   string
	bytes int64
	took  time.Duration
	// faults say what differs; none means that all is equal.
	faults []string
}

// summary prints the table of checks and of times.
func (p *printer) summary(checks []check) {
	t := newTable(p.w)
	t.AppendHeader(table.Row{"Compared", "How", "Bytes", "Time", "Result"})
	var all int64
	for _, c := range checks {
		all += c.bytes
		result := "equal"
		if len(c.faults) > 0 {
			result = fmt.Sprintf("DIFFERENT (%d)", len(c.faults))
		}
		size, took := "", ""
		if c.bytes > 0 {
			size = strconv.FormatInt(c.bytes, 10)
		}
		if c.took > 0 {
			took = c.took.Round(time.Millisecond).String()
		}
		t.AppendRow(table.Row{c.what, c.how, size, took, result})
	}
	t.AppendFooter(table.Row{"together", "", strconv.FormatInt(all, 10), "", ""})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight, AlignFooter: text.AlignRight}, {Number: 4, Align: text.AlignRight}})
	t.Render()
	times := newTable(p.w)
	times.AppendHeader(table.Row{"Step", "Time"})
	var sum time.Duration
	for _, one := range p.times {
		sum += one.took
		times.AppendRow(table.Row{one.what, one.took})
	}
	times.AppendFooter(table.Row{"together", sum})
	times.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight, AlignFooter: text.AlignRight}})
	times.Render()
	for _, c := range checks {
		for _, f := range c.faults {
			_, _ = fmt.Fprintf(p.w, "DIFFERENCE in the %s: %s\n", c.what, f)
		}
	}
}

func newTable(w io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleDefault
	style.Format.Header, style.Format.Footer = text.FormatDefault, text.FormatDefault
	t.SetStyle(style)
	_, _ = fmt.Fprintln(w)
	return t
}
