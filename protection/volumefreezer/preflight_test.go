package volumefreezer_test

import (
	"net/http"
	"strings"
	"testing"

	sim "github.com/karbor/karbor/internal/testcloud/freezer"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestLookAheadFindsWhatTheRestoreWouldFailFor(t *testing.T) {
	s, p := newSite(t), open(t, quick)
	d := s.disk(t)
	c := begin(s, p, d)
	c.mustProtect(t)
	look := func(asked map[string]any) *protection.Forecast { return c.LookAhead(t, c.Begin(s.Cloud, nil, asked)) }
	if f := look(nil); len(f.Findings) > 0 || f.Needs[protection.NeedVolumes] != 1 || f.Needs[protection.NeedGigabytes] != 1 {
		t.Errorf("a sound one: %+v", f)
	}
	find := func(f *protection.Forecast, want string) {
		t.Helper()
		if got := protectiontest.Errors(f); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("found %q; want %q", got, want)
		}
	}
	find(look(map[string]any{"restore_volume_types": map[string]any{"*": "none"}}), "there is no volume type")
	s.ask(t, http.MethodDelete, "clients/"+sim.Scheduler, nil)
	find(look(nil), "needs a scheduler of Freezer's")
	s.ask(t, http.MethodPost, "clients", map[string]any{"client_id": sim.Scheduler})
	d.RemoveMade(t, "backups")
	find(look(nil), "its backup")
}
