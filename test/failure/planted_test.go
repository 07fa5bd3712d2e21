package failure

import (
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the database of the site
)

// forget ends in the database all that runs, as if it had never been kept.
func (k *killing) forget() {
	k.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(k.dir, "state", "karbor.db"))
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		"UPDATE operations SET ended_at = created_at, dispatched = 1 WHERE ended_at IS NULL",
		"DELETE FROM journal_steps", "DELETE FROM journal_pages", "DELETE FROM journal_operations",
	} {
		if _, err := db.ExecContext(k.t.Context(), statement); err != nil {
			k.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestPlantedBugsAreFoundByKilling shows that what looks at the outcomes sees what may go wrong.
func TestPlantedBugsAreFoundByKilling(t *testing.T) {
	for _, c := range []struct {
		bug, work, words string
		// never says that it shows without a kill.
		never bool
	}{
		{deadJanitor, "failing restore", "the cloud has changed", true},
		{duplicating, "restore", "the cloud has changed", false},
		// Whoever hands it over anew takes what the bank says for its end.
		{earlyPublish, "protect", "was available before it was whole|is missing in the bank", false},
		{lostOutbox, "protect", "has no end", false},
		{greedyDelete, "delete", "the verification of checkpoint .* says", true},
	} {
		t.Run(c.bug, func(t *testing.T) {
			for _, w := range works {
				if w.name != c.work {
					continue
				}
				k := newKilling(t, w, c.bug)
				k.patience = 5*time.Second + takeOver
				places, _ := k.episode(death{})
				if !c.never && len(k.problems) > 0 {
					t.Fatalf("it shows without a kill: %q", k.problems)
				}
				died := 0
				for _, p := range places {
					if len(k.problems) > 0 {
						break
					}
					if p.service != "" {
						continue // the boundaries of its own do
					}
					if _, there := k.episode(death{place: &p}); there {
						died++
					}
				}
				if len(k.problems) == 0 || !regexp.MustCompile(c.words).MatchString(strings.Join(k.problems, "\n")) {
					t.Errorf("%d kills did not find it: %q", died, k.problems)
				}
				t.Logf("found after %d kills", died)
			}
		})
	}
}
