package compliance

import (
	"slices"
	"time"

	"github.com/karbor/karbor"
)

// judge says what is to be said of each resource.
type judge struct {
	reporter *Reporter
	request  Request
	of       *inventory
	plans    []karbor.Plan
	now      time.Time
	// named are the resources that plans list, by their keys.
	named    map[string]karbor.Resource
	covered  *coverage
	promises map[string]Promise
	drilled  map[string]*Drilled
}

func newJudge(r *Reporter, q Request, of *inventory, plans []karbor.Plan, now time.Time) *judge {
	j := &judge{reporter: r, request: q, of: of, plans: plans, now: now, named: map[string]karbor.Resource{}}
	for _, p := range plans {
		for _, one := range p.Resources {
			if !of.isContainer(one) {
				j.named[one.Key()] = one
			}
		}
	}
	return j
}

// wants says whether anything is to be known of a resource that was not found in the cloud:
// a plan lists it, or its type could not be listed.
func (j *judge) wants(r karbor.Resource) bool {
	if j.of.isContainer(r) {
		return false
	}
	_, named := j.named[r.Key()]
	return named || !j.of.whole[r.Type]
}

// rows gives a row for each resource that was found, and for each that a plan includes and
// that was not.
func (j *judge) rows() []Resource {
	members := map[string][]Membership{}
	lost := map[string]karbor.Resource{}
	for i := range j.plans {
		j.join(&j.plans[i], members, lost)
	}
	rows := make([]Resource, 0, len(j.of.resources)+len(lost))
	for _, r := range j.of.resources {
		rows = append(rows, j.row(r, members[r.Key()]))
	}
	for key, r := range lost {
		row := j.row(r, members[key])
		if j.of.whole[r.Type] {
			row.Findings = []Finding{Missing}
		} else {
			row.Findings = append(slices.DeleteFunc(row.Findings, func(f Finding) bool { return f == Kept }), Unlisted)
		}
		row.Verdict = row.Findings[0]
		rows = append(rows, row)
	}
	sortRows(rows)
	return rows
}

// join notes what a plan includes, and what of it was not found in the cloud.
func (j *judge) join(p *karbor.Plan, members map[string][]Membership, lost map[string]karbor.Resource) {
	seen := map[string]bool{}
	note := func(r karbor.Resource, how Through) {
		key := r.Key()
		if seen[key] || j.of.isContainer(r) {
			return
		}
		if !j.of.has(key) {
			if !j.wants(r) {
				return // a dependency that is gone
			}
			lost[key] = r
		}
		seen[key] = true
		members[key] = append(members[key], Membership{PlanID: p.ID, PlanName: p.Name, ProviderID: p.ProviderID, Through: how})
	}
	var project, topology bool
	for _, r := range p.Resources {
		project = project || r.Type == karbor.ProjectType && r.ID == j.of.project
		topology = topology || r.Key() == j.of.topology()
		note(r, Directly)
	}
	for _, n := range reach(j.covered.last[p.ID], p.Resources) {
		topology = topology || n.Resource.Key() == j.of.topology()
		if n.Role == "" && n.Type != karbor.ProjectType {
			note(n.Resource, ByDependency)
		}
	}
	if !project && !topology {
		return
	}
	for _, r := range j.of.resources {
		switch {
		case project && j.reporter.protects(p.ProviderID, r.Type):
			note(r, ByProject)
		case topology && r.Type == karbor.NetworkType:
			note(r, ByTopology)
		}
	}
}

// reach gives what resources depend on in a graph, with themselves as far as they are in it.
func reach(g *karbor.Graph, from []karbor.Resource) []*karbor.Node {
	if g == nil {
		return nil
	}
	var out []*karbor.Node
	seen := map[*karbor.Node]bool{}
	var visit func(n *karbor.Node)
	visit = func(n *karbor.Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		out = append(out, n)
		for _, child := range g.Children(n) {
			visit(child)
		}
	}
	for _, r := range from {
		visit(g.Node(karbor.MakeNodeKey(r, "")))
	}
	return out
}

// row says what is to be said of a resource that is there.
func (j *judge) row(r karbor.Resource, plans []Membership) Resource {
	key := r.Key()
	row := Resource{Resource: r, Plans: plans, Good: j.covered.good[key], Verified: j.covered.verified[key], Drilled: j.drilled[key]}
	for _, m := range plans {
		if p, ok := j.promises[m.PlanID]; ok && (row.Promise == nil || p.Allowed < row.Promise.Allowed) {
			row.Promise = &p
		}
	}
	if row.Good != nil {
		row.Age = max(0, j.now.Sub(row.Good.At))
	}
	row.Findings = j.findings(&row, j.covered.bad[key])
	row.Verdict = row.Findings[0]
	return row
}

// findings gives all that is to be said of a row, in order. bad is the time of the newest data
// that was found damaged.
func (j *judge) findings(row *Resource, bad time.Time) []Finding {
	var out []Finding
	say := func(f Finding, holds bool) {
		if holds {
			out = append(out, f)
		}
	}
	in, good := len(row.Plans) > 0, row.Good != nil
	say(Unprotected, !in)
	say(NoCheckpoint, in && !good)
	say(Damaged, !bad.IsZero() && (!good || bad.After(row.Good.At)))
	say(Late, row.Promise != nil && good && row.Age > row.Promise.Allowed)
	say(Unpromised, in && row.Promise == nil)
	say(Unverified, in && (row.Verified == nil || older(j.now, row.Verified.At, j.request.VerifiedWithin)))
	d := row.Drilled
	say(Undrilled, in && j.request.DrilledWithin > 0 && (d == nil || d.Verdict != karbor.DrillPassed || older(j.now, d.At, j.request.DrilledWithin)))
	if len(out) == 0 {
		return []Finding{Kept}
	}
	return out
}

// older reports whether a time is longer ago than may be; 0 sets no bound.
func older(now, at time.Time, within time.Duration) bool {
	return within > 0 && now.Sub(at) > within
}
