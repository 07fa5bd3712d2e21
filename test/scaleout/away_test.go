//go:build temporal && !multihost

package scaleout

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// away is how long something is away that the service can't do without.
const away = time.Minute

// outage takes something away, and brings it back.
type outage struct{ begin, end func() }

// outages gives what can be away, and a change of settings that has it go through lines.
func (s *site) outages() (ways map[string]outage, edit func(*config.Config)) {
	s.t.Helper()
	ways = map[string]outage{}
	lined := func(name, to string) string {
		l := newLine(s.t, to)
		ways[name] = outage{begin: l.cut, end: l.join}
		return l.address
	}
	_, rest, _ := strings.Cut(s.config.Database.URL, "@")
	host, _, _ := strings.Cut(rest, "/")
	database, engine := lined("database", host), lined("engine", s.config.Engine.Temporal.Address)
	ways["Keystone"] = outage{
		begin: func() {
			if _, err := s.cloud.Faults().Add(fabric.Fault{Service: "keystone", Status: http.StatusServiceUnavailable}); err != nil {
				s.t.Fatal(err)
			}
		},
		end: s.cloud.Faults().Clear,
	}
	return ways, func(c *config.Config) {
		c.Database.URL = strings.Replace(c.Database.URL, host, database, 1)
		c.Engine.Temporal.Address = engine
	}
}

// code gives the status of an answer, and its text. No answer in half a minute is 0.
func (u *tenant) code(checkpoint string) (status int, text string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), away/2)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.api+"/v1/"+u.project+"/providers/"+imageProvider+"/checkpoints/"+checkpoint, nil)
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", u.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }() // it was read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// TestOperationsGoOnWhenWhatWasAwayIsBack takes the database, the engine and Keystone away for a minute each, in the
// middle of an operation, which then goes on by itself. Meanwhile who asks gets an answer: what
// is known, or that it can't be known now.
func TestOperationsGoOnWhenWhatWasAwayIsBack(t *testing.T) {
	for engine, names := range map[string][]string{
		config.LocalEngine: {"database", "Keystone"}, config.TemporalEngine: {"database", "engine", "Keystone"},
	} {
		t.Run(engine, func(t *testing.T) {
			s := newSite(t)
			ways, lines := s.outages()
			edit := func(c *config.Config) {
				lines(c)
				c.Engine.Type = engine
			}
			s.start("api", roleAPI, edit)
			s.start("one", roleProtection, edit)
			u := s.tenant()
			plan := u.plan()
			var all []string
			for _, name := range names {
				t.Log(name)
				s.hold()
				id := u.protect(plan)
				s.await("the transfer", func() bool { return s.held() > 0 })
				s.cloud.Faults().Clear()
				ways[name].begin()
				u.answered(name, id)
				ways[name].end()
				u.available(id)
				next := u.protect(plan)
				u.available(next)
				all = append(all, id, next)
			}
			if listed := u.listed(); len(listed) != len(all) {
				t.Errorf("of %d checkpoints %d are listed", len(all), len(listed))
			}
			for _, id := range all {
				u.verify(id)
			}
		})
	}
}

// answered asks for a checkpoint as long as something is away.
func (u *tenant) answered(what, checkpoint string) {
	u.t.Helper()
	codes := map[int]int{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(away); time.Now().Before(end); <-tick.C {
		status, text := u.code(checkpoint)
		codes[status]++
		if status != http.StatusOK && (status != http.StatusServiceUnavailable || !strings.Contains(text, "message")) {
			u.t.Errorf("while the %s is away: %d %s", what, status, text)
		}
	}
	u.t.Logf("while the %s was away, the answers were %v", what, codes)
}
