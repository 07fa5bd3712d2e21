package compliance_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/compliance"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/trigger"
	"github.com/karbor/karbor/protectable"
)

const (
	ours   = "11111111111111111111111111111111"
	theirs = "22222222222222222222222222222222"
)

// today is when all reports are made.
var today = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

type cloud string

func (c cloud) ProjectID() string { return string(c) }
func (cloud) UserID() string      { return "user" }

// finder lists what each project has, in pages.
type finder struct {
	protectable.Plugin
	typ  karbor.ResourceType
	have map[string][]karbor.Resource
	err  error
}

func (f finder) Type() karbor.ResourceType { return f.typ }

func (f finder) List(_ context.Context, c karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	if f.err != nil {
		return nil, f.err
	}
	all := f.have[c.ProjectID()]
	if i := slices.IndexFunc(all, func(r karbor.Resource) bool { return r.ID == q.Marker }); i >= 0 {
		all = all[i+1:]
	}
	return all[:min(len(all), q.Limit)], nil
}

// site is a database and a cloud.
type site struct {
	*testing.T
	store   *store.Store
	finders []protectable.Plugin
	// now is what the database's clock says.
	now *time.Time
}

// at sets the database's clock.
func (s *site) at(now time.Time) { *s.now = now }

func newSite(t *testing.T) *site {
	t.Helper()
	now := today
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	db, err := store.Open(t.Context(), path, store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{T: t, store: db, now: &now}
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// has gives a project resources of a type.
func (s *site) has(project string, t karbor.ResourceType, ids ...string) {
	var all []karbor.Resource
	for _, id := range ids {
		all = append(all, res(t, id))
	}
	s.finders = append(s.finders, finder{typ: t, have: map[string][]karbor.Resource{project: all}})
}

func res(t karbor.ResourceType, id string) karbor.Resource {
	return karbor.Resource{Type: t, ID: id, Name: id}
}

func vol(id string) karbor.Resource { return res(karbor.VolumeType, id) }

// plan keeps a plan; it has no schedule.
func (s *site) plan(project, name string, resources ...karbor.Resource) karbor.Plan {
	s.Helper()
	p := storetest.NewPlan(project)
	p.Name, p.Resources = name, resources
	s.must(s.store.CreatePlan(s.Context(), p, -1))
	return p
}

// schedule has a plan protected by a crontab.
func (s *site) schedule(p karbor.Plan, pattern string, change ...func(*karbor.ScheduledOperation)) karbor.ScheduledOperation {
	s.Helper()
	g := storetest.NewTrigger(p.ProjectID)
	g.Properties = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: pattern, StartTime: today.AddDate(0, -1, 0), Window: time.Hour}
	s.must(s.store.CreateTrigger(s.Context(), g))
	o := storetest.NewScheduledOperation(p, g.ID)
	o.Name, o.OperationType = p.Name+" schedule", karbor.ScheduledProtect
	for _, c := range change {
		c(&o)
	}
	s.must(s.store.CreateSchedule(s.Context(), o, karbor.OverlapSkip, nil))
	return o
}

// checkpoint keeps an available checkpoint of a plan that is so old. The first resource
// depends on the others.
func (s *site) checkpoint(p karbor.Plan, age time.Duration, resources ...karbor.Resource) karbor.Checkpoint {
	s.Helper()
	c := storetest.NewCheckpoint(p.ProjectID)
	c.Plan.ID, c.Status, c.CreatedAt, c.Graph = p.ID, karbor.CheckpointAvailable, today.Add(-age), &karbor.Graph{}
	for i, r := range resources {
		if n := c.Graph.Add(r, ""); i > 0 {
			c.Graph.Connect(c.Graph.Nodes()[0], n)
		}
	}
	s.must(s.store.PutCheckpoint(s.Context(), c))
	return c
}

// verified has a checkpoint verified a while ago; bad are the keys that it finds damaged.
func (s *site) verified(c karbor.Checkpoint, ago time.Duration, bad ...string) {
	s.Helper()
	v := karbor.Verification{
		ID: karbor.NewID(), ProjectID: c.ProjectID, ProviderID: c.ProviderID, CheckpointID: c.ID,
		Status: karbor.VerificationVerifying, CreatedAt: today, UpdatedAt: today,
	}
	a := storetest.Acceptance(karbor.Verify, c)
	a.Operation.ID, a.Log.ID, a.Verification = v.ID, v.ID, &v
	s.must(s.store.Accept(s.Context(), a))
	found := store.Verified{
		LastVerified: karbor.LastVerified{At: today.Add(-ago), Depth: "stored", Result: karbor.VerificationSuccess},
		Resources:    map[string]store.VerifiedResource{},
	}
	for _, n := range c.Graph.Nodes() {
		found.Resources[n.Resource.Key()] = store.VerifiedResource{Depth: "stored", Good: !slices.Contains(bad, n.Resource.Key())}
	}
	s.must(s.store.EndOperation(s.Context(), v.ID, store.Outcome{
		VerificationStatus: found.Result, LogStatus: karbor.LogSuccess, Verified: &found,
	}))
}

func (s *site) reporter() *compliance.Reporter {
	return compliance.New(compliance.Options{
		Store: s.store, Finders: s.finders, Now: func() time.Time { return today },
		Protects: func(_ string, t karbor.ResourceType) bool { return t != karbor.ShareType },
		Triggers: trigger.Limits{MinWindow: time.Hour, MaxWindow: time.Hour},
	})
}

func (s *site) report(project string, change ...func(*compliance.Request)) compliance.Report {
	s.Helper()
	q := compliance.Request{Cloud: cloud(project)}
	for _, c := range change {
		c(&q)
	}
	r, err := s.reporter().Report(s.Context(), q)
	s.must(err)
	return r
}

// row gives the row of a resource.
func (s *site) row(r compliance.Report, one karbor.Resource) compliance.Resource {
	s.Helper()
	for _, row := range r.Resources {
		if row.Key() == one.Key() {
			return row
		}
	}
	s.Fatalf("the report has no row of %s", one.Key())
	return compliance.Resource{}
}
