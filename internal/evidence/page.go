package evidence

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

//go:embed page.html
var pageText string

// Page gives the record as a page for people: one HTML file that needs no other, and prints.
// The page is not signed; it says so, and names what is.
func Page(s Signed) ([]byte, error) {
	page, err := template.New("page").Funcs(template.FuncMap{
		"span": Span, "when": when, "word": func(v any) string { return strings.ToUpper(fmt.Sprint(v)) }, "took": took,
	}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("reading the template of the page: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, s); err != nil {
		return nil, fmt.Errorf("writing the page of drill %s: %w", s.Record.DrillID, err)
	}
	return out.Bytes(), nil
}

// Span gives milliseconds for people: 850 ms, 4.2 s, 3 min 20 s, 2 h 5 min.
func Span(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d <= 0:
		return "–"
	case d < time.Second:
		return fmt.Sprintf("%d ms", ms)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

func when(t Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func took(p Phase) string {
	if p.EndedAt.IsZero() {
		return "cut off"
	}
	return Span(max(p.EndedAt.Sub(p.StartedAt.Time).Milliseconds(), 1))
}

// Judge gives the verdict of a resource by its probes: failed if one failed, passed if one passed
// and none failed, else inconclusive.
func Judge(probes []Probe) karbor.DrillVerdict {
	verdict := karbor.DrillInconclusive
	for _, p := range probes {
		switch p.Result {
		case Failed:
			return karbor.DrillFailed
		case Passed:
			verdict = karbor.DrillPassed
		case Impossible:
		}
	}
	return verdict
}
