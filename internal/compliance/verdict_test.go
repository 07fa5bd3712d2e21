package compliance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/compliance"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// mixed is a tenant with every kind of coverage.
func mixed(t *testing.T) *site {
	s := newSite(t)
	s.has(ours, karbor.ServerType, "web", "forgotten")
	s.has(ours, karbor.VolumeType, "web-root", "kept", "late", "damaged", "unverified", "manual", "new", "alone")
	nightly := func(name string, resources ...karbor.Resource) karbor.Plan {
		p := s.plan(ours, name, resources...)
		s.schedule(p, "0 3 * * *")
		return p
	}
	web := nightly("web", res(karbor.ServerType, "web"))
	s.verified(s.checkpoint(web, 9*hour, res(karbor.ServerType, "web"), vol("web-root")), hour)
	kept := nightly("kept", vol("kept"))
	s.verified(s.checkpoint(kept, 33*hour, vol("kept")), day)
	s.checkpoint(kept, 9*hour, vol("kept"))
	s.verified(s.checkpoint(nightly("late", vol("late")), 26*hour, vol("late")), hour)
	damaged := nightly("damaged", vol("damaged"), vol("gone"))
	s.verified(s.checkpoint(damaged, 33*hour, vol("damaged")), day)
	s.verified(s.checkpoint(damaged, 9*hour, vol("damaged")), hour, vol("damaged").Key())
	s.checkpoint(nightly("unverified", vol("unverified")), 9*hour, vol("unverified"))
	s.verified(s.checkpoint(s.plan(ours, "manual", vol("manual")), 300*day, vol("manual")), hour)
	nightly("new", vol("new"))
	// What was once protected, and is no more.
	s.checkpoint(s.plan(ours, "other", vol("new")), 9*hour, vol("alone"))
	return s
}

func TestEachResourceOfAMixedTenantGetsItsVerdict(t *testing.T) {
	r := mixed(t).report(ours)
	var got []string
	for _, row := range r.Resources {
		words := make([]string, 0, len(row.Findings))
		for _, f := range row.Findings {
			words = append(words, string(f))
		}
		got = append(got, fmt.Sprintf("%s %s: %s", row.Type.Word(), row.ID, strings.Join(words, " ")))
		if row.Verdict != row.Findings[0] {
			t.Errorf("%s: the verdict is %s of %v", row.ID, row.Verdict, row.Findings)
		}
	}
	want := []string{
		"server forgotten: unprotected", "server web: kept",
		"volume alone: unprotected", "volume damaged: damaged late", "volume gone: missing", "volume kept: kept", "volume late: late",
		"volume manual: unpromised", "volume new: no_checkpoint unverified", "volume unverified: unverified", "volume web-root: kept",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	verdicts, findings := r.Totals()
	if verdicts[compliance.Kept] != 3 || verdicts[compliance.Late] != 1 || findings[compliance.Late] != 2 || findings[compliance.Unverified] != 2 {
		t.Errorf("totals are %v and %v", verdicts, findings)
	}
	if len(r.Types) != 2 || r.Types[0] != (compliance.TypeState{Type: karbor.ServerType, State: compliance.Listed, Count: 2}) || !r.BackTo.IsZero() {
		t.Errorf("types are %+v, back to %s", r.Types, r.BackTo)
	}
}

func TestARowTellsWhereItsVerdictComesFrom(t *testing.T) {
	s := mixed(t)
	r := s.report(ours)
	row := s.row(r, vol("kept"))
	if p := row.Promise; p == nil || p.Every != day || p.Allowed != 25*hour || p.Name != "kept schedule" {
		t.Errorf("the promise is %+v", p)
	}
	if row.Age != 9*hour || row.Good.PlanID != row.Plans[0].PlanID || row.Verified.Depth != "stored" || !row.Verified.At.Equal(today.Add(-day)) ||
		row.Verified.CheckpointID == row.Good.CheckpointID {
		t.Errorf("the row is %+v, good %+v, verified %+v", row, row.Good, row.Verified)
	}
	if m := s.row(r, vol("web-root")).Plans; len(m) != 1 || m[0].Through != compliance.ByDependency || m[0].PlanName != "web" {
		t.Errorf("the volume of the server is in %+v", m)
	}
	if row := s.row(r, vol("damaged")); row.Age != 33*hour {
		t.Errorf("the last good one of the damaged is %s old", row.Age)
	}
}

func TestVerificationsAndDrillsAreAskedForWithinATime(t *testing.T) {
	s := mixed(t)
	r := s.report(ours, func(q *compliance.Request) { q.VerifiedWithin, q.DrilledWithin = 2*hour, day })
	for id, want := range map[string]string{"web-root": "[undrilled]", "kept": "[unverified undrilled]", "alone": "[unprotected]"} {
		if got := fmt.Sprint(s.row(r, vol(id)).Findings); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

func TestAPlanOfTheProjectIncludesAllThatItsProviderProtects(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.VolumeType, "a")
	s.has(ours, karbor.NetworkType, ours, "n")
	s.has(ours, karbor.ShareType, "s")
	p := s.plan(ours, "all", res(karbor.ProjectType, ours))
	s.checkpoint(p, hour, res(karbor.ProjectType, ours), res(karbor.NetworkType, ours))
	r := s.report(ours)
	if len(r.Resources) != 3 {
		t.Fatalf("the rows are %+v", r.Resources)
	}
	for _, test := range []struct {
		one  karbor.Resource
		want string
	}{
		{vol("a"), "project no_checkpoint"},
		{res(karbor.NetworkType, "n"), "project unpromised"},
		{res(karbor.ShareType, "s"), "none unprotected"},
	} {
		row := s.row(r, test.one)
		how := "none"
		if len(row.Plans) > 0 {
			how = string(row.Plans[0].Through)
		}
		if got := how + " " + string(row.Verdict); got != test.want {
			t.Errorf("%s: %s, want %s", row.ID, got, test.want)
		}
	}
}

func TestTheTopologyIncludesTheNetworks(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.NetworkType, ours, "n", "m")
	p := s.plan(ours, "net", res(karbor.NetworkType, ours))
	s.verified(s.checkpoint(p, hour, res(karbor.NetworkType, ours), res(karbor.NetworkType, "m")), hour)
	r := s.report(ours)
	for id, through := range map[string]compliance.Through{"n": compliance.ByTopology, "m": compliance.ByDependency} {
		row := s.row(r, res(karbor.NetworkType, id))
		if len(row.Plans) != 1 || row.Plans[0].Through != through || row.Good == nil || row.Verified == nil {
			t.Errorf("%s is %+v", id, row)
		}
	}
}

func TestATypeThatCannotBeListedIsSaidSo(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.VolumeType, "a")
	s.finders = append(s.finders,
		finder{typ: karbor.ServerType, err: karbor.Errorf(karbor.Unavailable, "listing servers: the cloud did not answer in time")},
		finder{typ: karbor.ShareType, err: karbor.Errorf(karbor.NotImplemented, "the cloud offers no share service here")})
	p := s.plan(ours, "web", res(karbor.ServerType, "web"))
	s.schedule(p, "0 3 * * *")
	s.verified(s.checkpoint(p, hour, res(karbor.ServerType, "web"), vol("a"), vol("old")), hour)
	r := s.report(ours)
	want := []compliance.TypeState{
		{Type: karbor.ServerType, State: compliance.Failed, Reason: "listing servers: the cloud did not answer in time"},
		{Type: karbor.VolumeType, State: compliance.Listed, Count: 1},
		{Type: karbor.ShareType, State: compliance.Absent, Reason: "the cloud offers no share service here"},
	}
	if diff := cmp.Diff(want, r.Types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if row := s.row(r, res(karbor.ServerType, "web")); row.Verdict != compliance.Unlisted || row.Good == nil {
		t.Errorf("the server is %+v", row)
	}
	// A dependency that is gone is nobody's fault.
	if len(r.Resources) != 2 || s.row(r, vol("a")).Verdict != compliance.Kept {
		t.Errorf("the rows are %+v", r.Resources)
	}
}

func TestAReportSaysNothingOfAnotherProject(t *testing.T) {
	s := mixed(t)
	foreign := s.plan(theirs, "secret", vol("kept"))
	s.schedule(foreign, "* * * * *")
	s.checkpoint(foreign, time.Minute, vol("kept"))
	s.finders = append(s.finders, finder{typ: karbor.ImageType, have: map[string][]karbor.Resource{theirs: {res(karbor.ImageType, "theirs")}}})
	r := s.report(ours)
	if text := fmt.Sprintf("%+v", r); strings.Contains(text, "secret") || strings.Contains(text, foreign.ID) || strings.Contains(text, "theirs") {
		t.Errorf("the report tells of another project: %s", text)
	}
	if row := s.row(r, vol("kept")); row.Age != 9*hour || row.Promise.Every != day {
		t.Errorf("the row is %+v", row)
	}
}

func TestCopiesAreNamedAndStandInForWhatIsGone(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.VolumeType, "a")
	p := s.plan(ours, "p", vol("a"))
	original := s.checkpoint(p, 5*hour, vol("a"))
	copied := func(bank string) karbor.Checkpoint {
		c := original
		c.ID, c.CopyOf, c.Bank, c.CreatedAt = karbor.NewID(), original.ID, bank, today
		s.must(s.store.PutCheckpoint(t.Context(), c))
		return c
	}
	copied("tape")
	copied("far")
	row := s.row(s.report(ours), vol("a"))
	if g := row.Good; g.CheckpointID != original.ID || g.Bank != "" || fmt.Sprint(g.Copies) != "[far tape]" || row.Age != 5*hour {
		t.Errorf("the last good one is %+v, %s old", g, row.Age)
	}
	original.Status = karbor.CheckpointError
	s.must(s.store.PutCheckpoint(t.Context(), original))
	row = s.row(s.report(ours), vol("a"))
	if g := row.Good; g.Bank == "" || row.Age != 5*hour {
		t.Errorf("in its place is %+v, %s old", g, row.Age)
	}
}

func TestFiveThousandResourcesAreReportedAndMoreAreSaid(t *testing.T) {
	s := newSite(t)
	ids := make([]string, 5600)
	for i := range ids {
		ids[i] = fmt.Sprintf("v%05d", i)
	}
	s.has(ours, karbor.VolumeType, ids...)
	var some []karbor.Resource
	for _, id := range ids[:4000] {
		some = append(some, vol(id))
	}
	p := s.plan(ours, "big", some[0])
	s.schedule(p, "0 * * * *")
	for i := range 40 {
		s.checkpoint(p, time.Duration(i+1)*hour, some...)
	}
	began := time.Now()
	r := s.report(ours)
	t.Logf("5,000 resources, 40 checkpoints of 4,000: %s", time.Since(began))
	verdicts, _ := r.Totals()
	if len(r.Resources) != 5000 || verdicts[compliance.Unverified] != 4000 || verdicts[compliance.Unprotected] != 1000 {
		t.Errorf("%d rows: %v", len(r.Resources), verdicts)
	}
	if r.Types[0].State != compliance.Partial || r.Types[0].Count != 5000 || r.Types[0].Reason == "" {
		t.Errorf("the type is %+v", r.Types[0])
	}
}

func TestAGoodCopyCountsWhereTheOriginalIsDamaged(t *testing.T) {
	s := newSite(t)
	s.has(ours, karbor.VolumeType, "a")
	p := s.plan(ours, "p", vol("a"))
	original := s.checkpoint(p, 5*hour, vol("a"))
	copied := original
	copied.ID, copied.CopyOf, copied.Bank, copied.CreatedAt = karbor.NewID(), original.ID, "far", today
	s.must(s.store.PutCheckpoint(t.Context(), copied))
	s.verified(original, hour, vol("a").Key())
	s.verified(copied, hour)
	row := s.row(s.report(ours), vol("a"))
	if row.Verdict != compliance.Unpromised || len(row.Findings) != 1 || row.Good.Bank != "far" || row.Age != 5*hour || row.Verified.CheckpointID != copied.ID {
		t.Errorf("the row is %+v, good %+v", row, row.Good)
	}
}
