package api_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
	"github.com/karbor/karbor/internal/policy"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

const benchProvider = "cf56bd3e-97a7-4078-b6d5-f36246333fd9"

// quiet is a protection service that takes every plan and does no work.
type quiet struct{ v1.Service }

func (quiet) CheckPlan(string, *karbor.Plan) error { return nil }

func (quiet) Provider(id string) (protectionservice.Provider, error) {
	return protectionservice.Provider{ID: id}, nil
}

// desk is the API on a real database, called without a connection.
type desk struct {
	handler http.Handler
	store   *store.Store
	path    string
}

func newDesk(b *testing.B) *desk {
	b.Helper()
	d := &desk{path: filepath.Join(b.TempDir(), "karbor.db")}
	var err error
	if d.store, err = store.Open(b.Context(), d.path, store.Options{Now: time.Now}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			b.Error(err)
		}
	})
	limits := store.Limits{store.QuotaPlans: -1}
	if d.handler, err = api.New(api.Options{
		Routes: v1.Routes(v1.Deps{
			Store: d.store, Service: quiet{}, Limits: limits, Now: time.Now,
			Session: func(*karbor.Identity) karbor.Cloud { return nil },
		}),
		// The access line is written too, as it is by default.
		Authenticator: identities(), Policy: policy.New(), Logger: slog.New(slog.NewJSONHandler(nowhere{}, nil)), Now: time.Now,
	}); err != nil {
		b.Fatal(err)
	}
	return d
}

// nowhere takes the log: that it is written is a part of the figure.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// sink is an http.ResponseWriter that costs as little as can be.
type sink struct {
	header http.Header
	status int
	bytes  int
	body   []byte // only if keep
	keep   bool
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) { s.status = status }

func (s *sink) Write(p []byte) (int, error) {
	s.bytes += len(p)
	if s.keep {
		s.body = append(s.body, p...)
	}
	return len(p), nil
}

// request makes a request anew for each use, as a connection would.
func request(method, path, body string) func() *http.Request {
	made := httptest.NewRequestWithContext(context.Background(), method, "/v1/"+project+path, nil)
	made.Header.Set("X-Auth-Token", "member")
	made.Header.Set("Content-Type", "application/json")
	made.ContentLength = int64(len(body))
	return func() *http.Request {
		r := *made
		r.Body = io.NopCloser(strings.NewReader(body))
		return &r
	}
}

// measure runs requests, and reports the CPU time of the whole process for each:
// user and system, collector and database included, beside its goal in milliseconds.
func (d *desk) measure(b *testing.B, goal float64, next func() *http.Request) {
	b.Helper()
	once := func() int {
		w := &sink{header: http.Header{}}
		d.handler.ServeHTTP(w, next())
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
		return w.bytes
	}
	size := once()
	before, n := cpuTime(b), 0
	for b.Loop() {
		once()
		n++
	}
	each := (cpuTime(b) - before).Seconds() * 1000 / float64(n)
	b.ReportMetric(each, "cpu-ms/op")
	b.ReportMetric(float64(size), "answer-bytes")
	b.ReportMetric(goal, "goal-cpu-ms/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const benchPlan = `{"plan": {"name": "nightly", "description": "all of it", "provider_id": "` + benchProvider + `",
 "parameters": {"OS::Cinder::Volume": {"backup_mode": "full"}},
 "resources": [{"id": "25336116-f38e-4c22-81ad-e9b7bd71ba51", "type": "OS::Nova::Server", "name": "web", "extra_info": {"availability_zone": "nova"}},
  {"id": "35336116-f38e-4c22-81ad-e9b7bd71ba51", "type": "OS::Cinder::Volume", "name": "disk"}]}}`

// create makes a plan and gives its id.
func (d *desk) create(b *testing.B) string {
	b.Helper()
	w := &sink{header: http.Header{}, keep: true}
	d.handler.ServeHTTP(w, request("POST", "/plans", benchPlan)())
	var v struct {
		Plan struct {
			ID string `json:"id"`
		} `json:"plan"`
	}
	if err := json.Unmarshal(w.body, &v); err != nil || w.status != http.StatusOK {
		b.Fatalf("making a plan: %d %s", w.status, w.body)
	}
	return v.Plan.ID
}

func BenchmarkListOf100Plans(b *testing.B) {
	d := newDesk(b)
	for range 100 {
		d.create(b)
	}
	d.measure(b, 1, request("GET", "/plans", ""))
}

func BenchmarkGetPlan(b *testing.B) {
	d := newDesk(b)
	d.measure(b, 0.3, request("GET", "/plans/"+d.create(b), ""))
}

func BenchmarkCreatePlan(b *testing.B) {
	newDesk(b).measure(b, 2, request("POST", "/plans", benchPlan))
}

func BenchmarkPageOf100Of100000Checkpoints(b *testing.B) {
	const count = 100_000
	d := newDesk(b)
	marker := d.checkpoints(b, count)
	list := "/providers/" + benchProvider + "/checkpoints?limit=100"
	b.Run("first", func(b *testing.B) { d.measure(b, 5, request("GET", list, "")) })
	b.Run("middle", func(b *testing.B) { d.measure(b, 5, request("GET", list+"&marker="+marker, "")) })
	b.Run("status", func(b *testing.B) { d.measure(b, 5, request("GET", list+"&status=available&marker="+marker, "")) })
	b.Run("sorted", func(b *testing.B) { d.measure(b, 5, request("GET", list+"&sort=id:asc&marker="+marker, "")) })
}

// checkpoints fills the catalogue, and gives the id of one in the middle. All but
// the first are copied within the database: through the store it would take minutes.
func (d *desk) checkpoints(b *testing.B, count int) string {
	b.Helper()
	g := &karbor.Graph{}
	g.Add(karbor.Resource{Type: karbor.ServerType, ID: "25336116-f38e-4c22-81ad-e9b7bd71ba51", Name: "web"}, "")
	g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "35336116-f38e-4c22-81ad-e9b7bd71ba51", Name: "disk"}, "")
	first := karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: project, ProviderID: benchProvider, Status: karbor.CheckpointAvailable, Graph: g,
		Plan: karbor.PlanRecord{ID: karbor.NewID(), Name: "nightly", ProviderID: benchProvider, Resources: []karbor.Resource{
			{Type: karbor.ServerType, ID: "25336116-f38e-4c22-81ad-e9b7bd71ba51", Name: "web"}}},
		ExtraInfo: map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)}, CreatedAt: time.Now(),
	}
	if err := d.store.PutCheckpoint(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", d.path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(b.Context(), "SELECT name FROM pragma_table_info('checkpoints')")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var names, values []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.Fatal(err)
		}
		names = append(names, name)
		switch name {
		case "id":
			name = "printf('%08x-0000-4000-8000-%012x', (i * 2654435761) % 4294967296, i)"
		case "created_at":
			name = "created_at - i * 1000000"
		}
		values = append(values, name)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	statement := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO checkpoints (%s) SELECT %s FROM checkpoints, n`, count-1, strings.Join(names, ", "), strings.Join(values, ", "))
	if _, err := db.ExecContext(b.Context(), statement); err != nil {
		b.Fatal(err)
	}
	i := count / 2
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint64(i)*2654435761%4294967296, i)
}

// BenchmarkMemoryOfManyRequests reports how much more memory is in use after many
// different requests than after a few: it should be nothing.
func BenchmarkMemoryOfManyRequests(b *testing.B) {
	d := newDesk(b)
	plan := d.create(b)
	run := func(n int) {
		for i := range n {
			for _, path := range []string{"/plans/" + plan, "/plans?limit=1", "/plans/" + karbor.NewID(), fmt.Sprintf("/plans?name=x%d", i), "/nothing"} {
				d.handler.ServeHTTP(&sink{header: http.Header{}}, request("GET", path, "")())
			}
		}
	}
	run(200)
	before := heap()
	for b.Loop() {
		run(200)
	}
	grown := float64(heap()-before) / 1024
	b.ReportMetric(grown, "grown-KiB")
	b.ReportMetric(1024, "goal-grown-KiB")
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
