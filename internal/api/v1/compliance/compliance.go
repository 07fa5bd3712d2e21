// Package compliance serves the report on whether a project's resources are protected as
// was promised.
package compliance

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/compliance"
)

// Reporter makes reports; compliance.Reporter is one.
type Reporter interface {
	Report(ctx context.Context, q compliance.Request) (compliance.Report, error)
}

// Deps are what the room needs.
type Deps struct {
	Reporter Reporter
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
}

// maxDays bounds the parameters that are numbers of days.
const maxDays = 3650

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	words := words()
	return []api.Route{{
		Method: "GET", Pattern: "/compliance", Rule: "compliance:get", Since: api.ProofVersion, Handle: d.show,
		Summary: "Report whether the project's resources are protected as was promised",
		Description: "The resources are listed as the caller, in the cloud, at the time of the request: it may take seconds. The answer is one document, " +
			"of at most 10000 resources and 5000 of one type; `types` says where there are more, or where a service did not tell. The totals are of all resources, " +
			"whatever the filters.",
		Query: []api.Parameter{
			{Name: "type", Description: "Only resources of this type.", Words: typeWords()},
			{Name: "verdict", Description: "Only resources that have this verdict.", Words: words},
			{Name: "finding", Description: "Only resources of which this is found, whatever the verdict.", Words: words},
			{Name: "verified_days", Type: "integer", Description: "How many days ago a resource may have been verified to count as that. Without it, any time does."},
			{Name: "drilled_days", Type: "integer", Description: "How many days ago a drill may have restored a resource. Without it, none is asked for."},
			{Name: "unmade_days", Type: "integer", Description: "How many days it is looked back for runs that did not happen: 7 without it."},
		},
		Answer: answer{},
	}}
}

func words() []string {
	var out []string
	for _, f := range compliance.Findings() {
		out = append(out, string(f))
	}
	return out
}

func typeWords() []string {
	var out []string
	for _, t := range karbor.ResourceTypes() {
		if t != karbor.ProjectType {
			out = append(out, string(t))
		}
	}
	return out
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	q := compliance.Request{Cloud: d.Session(r.Identity)}
	for name, into := range map[string]*time.Duration{
		"verified_days": &q.VerifiedWithin, "drilled_days": &q.DrilledWithin, "unmade_days": &q.UnmadeWithin,
	} {
		var err error
		if *into, err = days(name, r.Filter(name)); err != nil {
			return nil, err
		}
	}
	for name, known := range map[string][]string{"type": typeWords(), "verdict": words(), "finding": words()} {
		if v := r.Filter(name); v != "" && !slices.Contains(known, v) {
			return nil, karbor.Errorf(karbor.Invalid, "Invalid input for query parameter %s: %.80q is none of %q.", name, v, known)
		}
	}
	report, err := d.Reporter.Report(ctx, q)
	if err != nil {
		return nil, err
	}
	verdict, finding, typ := compliance.Finding(r.Filter("verdict")), compliance.Finding(r.Filter("finding")), karbor.ResourceType(r.Filter("type"))
	return answer{viewOf(&report, func(row *compliance.Resource) bool {
		return (typ == "" || row.Type == typ) && (verdict == "" || row.Verdict == verdict) && (finding == "" || slices.Contains(row.Findings, finding))
	})}, nil
}

// days reads a number of days; "" is 0.
func days(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxDays {
		return 0, karbor.Errorf(karbor.Invalid, "Invalid input for query parameter %s: %.40q is not a number of days from 1 to %d.", name, text, maxDays)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
