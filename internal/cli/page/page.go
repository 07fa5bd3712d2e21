// Package page writes what karbor has found as an HTML page that stands alone: it loads
// nothing, and prints well.
package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/output"
)

//go:embed compliance.html
var complianceText string

var compliance = template.Must(template.New("compliance").Funcs(template.FuncMap{
	"span": output.Span, "time": moment, "word": karbor.ResourceType.Word, "plans": plans, "join": strings.Join,
	"spaced": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
}).Parse(complianceText))

// verdict is how many resources have a verdict.
type verdict struct {
	Word  string
	Count int
}

// verdicts are the words in the order in which they count.
var verdicts = []string{
	"missing", "unprotected", "no_checkpoint", "damaged", "late", "unpromised", "unverified", "undrilled", "unlisted", "kept",
}

// Compliance writes a report on whether a project's resources are protected as was promised.
// project is its name; "" for its id.
func Compliance(w io.Writer, project string, r client.Compliance) error {
	if project == "" {
		project = r.ProjectID
	}
	words := slices.Clone(verdicts)
	for word := range r.Verdicts {
		if !slices.Contains(words, word) {
			words = append(words, word) // of a newer service
		}
	}
	slices.Sort(words[len(verdicts):])
	var counts []verdict
	for _, word := range words {
		if n := r.Verdicts[word]; n > 0 {
			counts = append(counts, verdict{word, n})
		}
	}
	err := compliance.Execute(w, struct {
		client.Compliance
		Project string
		Counts  []verdict
	}{r, project, counts})
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// moment writes a time for people.
func moment(t client.Timestamp) string {
	return strings.TrimSuffix(strings.Replace(string(t), "T", " ", 1), "Z")
}

// plans names plans, and says how each includes a resource that it does not list itself.
func plans(all []client.CompliancePlan) string {
	names := make([]string, 0, len(all))
	for _, p := range all {
		name := p.Name
		if p.Through != "direct" {
			name += " (by " + p.Through + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
