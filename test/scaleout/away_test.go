//go:build temporal && !multihost

package scaleout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
)

// away is how long something is away that the service can't do without.
const away = time.Minute

// TestOperationsGoOnWhenWhatWasAwayIsBack takes the database, the engine, Keystone and the bank away for a
// minute each, in the middle of a protect and a restore. Both need it: they are at work when it comes
// back, and go on by themselves. Meanwhile who asks gets an answer: what is known, or that it can't
// be known now.
func TestOperationsGoOnWhenWhatWasAwayIsBack(t *testing.T) {
	for _, c := range []struct {
		engine, database string
		away             []string
	}{
		{config.LocalEngine, onPostgreSQL, []string{"database", "Keystone"}},
		{config.LocalEngine, onPostgreSQL, []string{"bank"}},
		{config.LocalEngine, onMariaDB, []string{"database"}},
		{config.TemporalEngine, onPostgreSQL, []string{"database", "Keystone"}},
		{config.TemporalEngine, onPostgreSQL, []string{"engine", "bank"}},
		{config.TemporalEngine, onMariaDB, []string{"database"}},
	} {
		t.Run(fmt.Sprint(c.engine, " on ", c.database, " without ", c.away), func(t *testing.T) {
			t.Parallel() // most of the time they wait
			f := newFragile(t, c.engine, databaseServer(t, c.database), c.away...)
			image := f.image()
			plan := f.planOf(image)
			whole := f.protect(plan)
			f.available(whole)
			all := []string{whole}
			for _, name := range c.away {
				all = append(all, f.outlast(name, image, plan, whole)...)
			}
			if listed := f.listed(); len(listed) != len(all) {
				t.Errorf("of %d checkpoints %d are listed", len(all), len(listed))
			}
			for _, id := range all {
				f.verify(id)
			}
		})
	}
}

// outlast has something away in the middle of a protect of a plan and a restore of a checkpoint. It gives
// the checkpoints that were made.
func (f *fragile) outlast(name, image, plan, checkpoint string) []string {
	f.t.Helper()
	way, had := f.ways[name], f.inventory("images")
	transfers := f.stop()
	id := f.protect(plan)
	restore := f.ask("POST", "/restores", map[string]any{"restore": map[string]any{"provider_id": imageProvider, "checkpoint_id": checkpoint,
		"parameters": map[string]any{"OS::Glance::Image": map[string]any{"upload": "always"}}}}, "restore")["id"].(string)
	f.await("the transfers", transfers.both)
	way.begin()
	f.answered(name, id, away/2)
	if way.holds {
		f.answered(name, id, away/2)
		way.end()
		f.atWork(name, id, restore)
		transfers.letGo()
	} else {
		transfers.letGo()
		f.answered(name, id, away/2)
		f.atWork(name, id, restore)
		way.end()
	}
	f.token = f.site.tenant().token // the old one may have ended
	f.available(id)
	f.over("/restores/"+restore, "restore", "success")
	f.oneMore(had, image)
	next := f.protect(plan)
	f.available(next)
	return []string{id, next}
}

// atWork checks that a protect and a restore go on.
func (f *fragile) atWork(name, checkpoint, restore string) {
	f.t.Helper()
	if got := f.status(checkpoint); got != "protecting" {
		f.t.Errorf("the %s was away, and the checkpoint is %s", name, got)
	}
	if got := f.ask("GET", "/restores/"+restore, nil, "restore"); got["status"] != "in_progress" {
		f.t.Errorf("the %s was away, and the restore is %v", name, got)
	}
}

// oneMore checks that the cloud has one image more than it had, and none of the trusts any more.
func (f *fragile) oneMore(had []string, image string) {
	f.t.Helper()
	f.await("the trusts to be given back", func() bool { return len(f.inventory("trusts")) == 0 })
	now := f.inventory("images")
	more := slices.DeleteFunc(slices.Clone(now), func(id string) bool { return slices.Contains(had, id) })
	if len(more) != 1 || len(now) != len(had)+1 {
		f.t.Fatalf("the cloud had the images %v, and has %v after one restore", had, now)
	}
	if !slices.Equal(f.bytesOf(more[0]), f.bytesOf(image)) {
		f.t.Errorf("the restored image %s differs from the original", more[0])
	}
}

// answered asks for a checkpoint for a while, in which something is away.
func (f *fragile) answered(what, checkpoint string, during time.Duration) {
	f.t.Helper()
	codes := map[string]int{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(during); time.Now().Before(end); <-tick.C {
		status, said := f.code(checkpoint)
		codes[fmt.Sprint(status, " ", said)]++
		if (status != http.StatusOK || said != "protecting") && (status != http.StatusServiceUnavailable || said == "") {
			f.t.Errorf("while the %s is away: %d %s", what, status, said)
		}
	}
	f.t.Logf("while the %s was away, the answers were %v", what, codes)
}

// code gives the status of an answer, and that of the checkpoint or what else is said. No answer in half
// a minute is 0.
func (f *fragile) code(checkpoint string) (status int, said string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), away/2)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.api+"/v1/"+f.project+"/providers/"+imageProvider+"/checkpoints/"+checkpoint, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", f.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }() // it was read
	var body map[string]struct{ Status, Message string }
	text, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(text, &body) != nil {
		return 0, fmt.Sprintf("%s %v", text, err)
	}
	for _, inside := range body {
		said = inside.Status + inside.Message
	}
	return res.StatusCode, said
}
