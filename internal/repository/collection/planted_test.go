package collection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

// reckless is a session of a writer that keeps some rule not.
type reckless struct {
	*session.Session
	plant func(dedup.References) dedup.References
}

func (r reckless) Begin() dedup.References { return r.plant(r.Session.Begin()) }

// unleased publishes whether its session lives or not.
type unleased struct{ dedup.References }

func (u unleased) While(ctx context.Context, write func(context.Context) error) error {
	return write(ctx)
}

// greedy refers to what is condemned.
type greedy struct{ dedup.References }

func (g greedy) Refer(generation uint64, pack format.Name, kind format.Kind) bool {
	g.References.Refer(generation, pack, kind)
	return true
}

// plantSession plants a bug into the sessions of writers.
func plantSession(plant func(dedup.References) dedup.References) func(*world, *session.Session) dedup.Session {
	return func(_ *world, s *session.Session) dedup.Session { return reckless{s, plant} }
}

// withoutKeeps removes from a record what the session keeps.
func withoutKeeps(key string, text []byte) []byte {
	var r session.Record
	if !strings.Contains(key, "/sessions/") || json.Unmarshal(text, &r) != nil {
		return text
	}
	r.Keeps = []string{}
	text, _ = json.Marshal(r)
	return format.AddDigest(key, text)
}

// withoutSessions hides the sessions from the collector.
func withoutSessions(prefix, _ string, list []bank.Info) []bank.Info {
	if strings.Contains(prefix, "/sessions/") {
		return nil
	}
	return list
}

// onlyOnce shows the collector what the first listing showed.
func onlyOnce() func(prefix, marker string, list []bank.Info) []bank.Info {
	seen := map[string][]bank.Info{}
	return func(prefix, marker string, list []bank.Info) []bank.Info {
		if !strings.HasPrefix(prefix, "v1/checkpoints/") {
			return list
		}
		if _, there := seen[prefix+marker]; !there {
			seen[prefix+marker] = slices.Clone(list)
		}
		return seen[prefix+marker]
	}
}

// planted are the bugs. Each is tried in worlds, with the mishap that it needs, until it is
// caught.
var planted = map[string]plan{
	"a writer publishes without a lease": {
		session: plantSession(func(r dedup.References) dedup.References { return unleased{r} }), what: freezes},
	"a stream is published before its data": {
		writing: func(l *link) { l.lazy = true }, what: dies},
	"the collector does not wait for sessions": {
		collect: func(l *link) { l.show = withoutSessions }},
	"the collector does not mark again": {
		collect: func(l *link) { l.show = onlyOnce() }},
	"a writer keeps nothing": {
		writing: func(l *link) { l.edit = withoutKeeps }, slow: true, dawdle: expire},
	"a writer refers to condemned packs": {
		session: plantSession(func(r dedup.References) dedup.References { return greedy{r} }), slow: true},
	"nobody waits for listings": {lag: expire / 3, slow: true},
}

// caught tries a bug until something is lost. It gives how many runs that took.
func caught(t *testing.T, p plan) (runs int, what string) {
	const tries = 60
	for seed := range uint64(tries) {
		p.seed, p.streams = seed, 8
		if p.what != nothing {
			p.role, p.at = fmt.Sprintf("writer %d", seed%2), 15+int(seed*7)%90
		}
		for _, f := range run(t, p).faults {
			if strings.HasPrefix(f, "lost") || strings.HasPrefix(f, "reading") {
				return int(seed) + 1, f
			}
		}
	}
	return tries, ""
}

func TestHarnessCatchesEachPlantedBug(t *testing.T) {
	var all, found atomic.Int64
	t.Cleanup(func() { t.Logf("%d of %d planted bugs caught", found.Load(), all.Load()) })
	for name, p := range planted {
		if p.slow && !*whole {
			continue // it takes more runs than others until it is caught
		}
		all.Add(1)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs, what := caught(t, p)
			if what == "" {
				t.Fatalf("nothing was lost in %d runs", runs)
			}
			found.Add(1)
			t.Logf("caught by run %d: %s", runs, what)
		})
	}
}
