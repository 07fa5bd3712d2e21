// Package compliance has the command compliance.
package compliance

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/argument"
	"github.com/karbor/karbor/internal/cli/exit"
	"github.com/karbor/karbor/internal/cli/output"
	"github.com/karbor/karbor/internal/cli/page"
	"github.com/karbor/karbor/internal/cli/session"
)

// Command makes the command compliance.
func Command(s *session.Session) *cobra.Command {
	return session.Group("compliance", "Compliance: is everything protected as was promised",
		s.Help(show(s), session.Help{Example: `karbor compliance show
karbor compliance show --verified-days 30 --html report.html
karbor compliance show --fail-on late,unprotected -q`}),
	)
}

// reported is a line of a report: what is to be said of a resource.
type reported struct {
	Verdict    string           `json:"verdict"`
	Type       string           `json:"type"`
	Name       string           `json:"name"`
	ID         string           `json:"id"`
	Findings   string           `json:"findings"`
	Plans      string           `json:"plans"`
	Age        string           `json:"age"`
	Promised   string           `json:"promised"`
	Verified   client.Timestamp `json:"verified"`
	Drilled    client.Timestamp `json:"drilled"`
	RTO        string           `json:"rto"`
	Copies     string           `json:"copies"`
	Checkpoint string           `json:"checkpoint_id"`
}

func show(s *session.Session) *cobra.Command {
	var o client.ComplianceOptions
	var typ, file string
	var failOn []string
	cmd := s.Command("show", "Report whether the project's resources are protected as was promised", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			if typ != "" {
				t, err := argument.Type(typ)
				if err != nil {
					return err
				}
				o.Type = t
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			r, err := c.Compliance(ctx, o)
			if err != nil {
				return err
			}
			for _, word := range failOn {
				if _, known := r.Findings[word]; !known {
					return exit.Usagef("--fail-on %s: there are %s", word, strings.Join(slices.Sorted(maps.Keys(r.Findings)), ", "))
				}
			}
			if file != "" {
				if err := writePage(s, file, r); err != nil {
					return err
				}
			} else if err := printReport(s, r); err != nil {
				return err
			}
			return judge(r, failOn)
		})
	f := cmd.Flags()
	f.StringVar(&typ, "type", "", "only resources of a type: server, volume and so on")
	f.StringVar(&o.Verdict, "verdict", "", "only resources with this verdict")
	f.StringVar(&o.Finding, "finding", "", "only resources of which this is found, whatever the verdict")
	f.IntVar(&o.VerifiedDays, "verified-days", 0, "how many days ago a resource may have been verified")
	f.IntVar(&o.DrilledDays, "drilled-days", 0, "how many days ago a drill may have restored a resource; without it, none needs to")
	f.IntVar(&o.UnmadeDays, "unmade-days", 0, "how many days to look back for runs that did not happen (default 7)")
	f.StringVar(&file, "html", "", "write the report as a page that prints into this file; - is standard output")
	f.StringSliceVar(&failOn, "fail-on", nil, "end with code 6 if any resource of the project has one of these findings")
	return cmd
}

// printReport prints a report. A table, CSV and bare values have a line for each resource;
// JSON and YAML have the whole report.
func printReport(s *session.Session, r client.Compliance) error {
	if s.Whole() {
		return s.Printer().Show(r)
	}
	lines := make([]reported, 0, len(r.Resources))
	for i := range r.Resources {
		lines = append(lines, reportedOf(&r.Resources[i]))
	}
	if err := output.List(s.Printer(), lines, "verdict", "type", "name", "plans", "age", "promised", "verified", "drilled"); err != nil {
		return err
	}
	for _, t := range r.Types {
		if t.State != "listed" && t.Reason != nil {
			s.Say("%s: %s: %s", t.Type, t.State, *t.Reason)
		}
	}
	for _, u := range r.Unmade {
		s.Say("%s %s of %s: %s", u.ExpectedAt, strings.ReplaceAll(u.State, "_", " "), u.Name, u.Reason)
	}
	s.Say("%s", counted(r))
	return nil
}

func reportedOf(r *client.ComplianceResource) reported {
	s := reported{
		Verdict: r.Verdict, Type: r.Type.Word(), Name: r.Name, ID: r.ID, Findings: strings.Join(r.Findings, " "),
		Age: output.Span(r.AgeSeconds), Promised: output.Span(r.RPOSeconds),
	}
	var plans []string
	for _, p := range r.Plans {
		plans = append(plans, p.Name)
	}
	s.Plans = strings.Join(plans, " ")
	if g := r.Checkpoint; g != nil {
		s.Checkpoint, s.Copies = g.ID, strings.Join(g.Copies, " ")
	}
	if v := r.LastVerified; v != nil {
		s.Verified = v.At
	}
	if d := r.LastDrill; d != nil {
		s.Drilled, s.RTO = d.At, output.Span(d.RTOSeconds)
	}
	return s
}

// counted says how many resources have which verdict.
func counted(r client.Compliance) string {
	parts := []string{}
	for _, word := range slices.Sorted(maps.Keys(r.Verdicts)) {
		if n := r.Verdicts[word]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(word, "_", " ")))
		}
	}
	return fmt.Sprintf("%d resources: %s", r.Total, strings.Join(parts, ", "))
}

// writePage writes a report as a page.
func writePage(s *session.Session, file string, r client.Compliance) error {
	var text bytes.Buffer
	if err := page.Compliance(&text, s.ProjectName(), r); err != nil {
		return err
	}
	if err := s.Write(file, text.Bytes()); err != nil {
		return err
	}
	if file != "-" {
		s.Say("%s", counted(r))
	}
	return nil
}

// judge gives an error if a report has findings on which the command is to fail.
func judge(r client.Compliance, failOn []string) error {
	var found []string
	for _, word := range failOn {
		if n := r.Findings[word]; n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, strings.ReplaceAll(word, "_", " ")))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return exit.Finding(fmt.Sprintf("of %d resources: %s", r.Total, strings.Join(found, ", ")))
}
