package protectionservice_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/protection"
)

// behind changes or asks the database behind the store's back; into takes what is asked for.
func (s *site) behind(query string, into ...any) {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "karbor.db")+"?_pragma=busy_timeout(10000)")
	if err == nil {
		if len(into) > 0 {
			err = db.QueryRowContext(s.t.Context(), query).Scan(into...)
		} else {
			_, err = db.ExecContext(s.t.Context(), query)
		}
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestASecondTryAtTheEndOfADrillTellsTheSame(t *testing.T) {
	s := newDrillShop(t, nil)
	s.script.set(karbor.RestoreOperation, karbor.ServerType, protection.Hooks{
		Complete: func(ctx context.Context, c *protection.Call) error {
			c.NotKept("It has another address.")
			if err := s.restoreOne(ctx, c); err != nil || c.Node.ID != "s1" {
				return err
			}
			return karbor.Errorf(karbor.Internal, "it does not boot")
		},
		Undo: s.script.note("undo"), Drill: protection.DrilledAlone,
	})
	s.restart()
	s.behind("CREATE TRIGGER full BEFORE UPDATE OF evidence ON drills BEGIN SELECT RAISE(ABORT, 'it is full'); END")
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	s.poll(func() bool {
		var tries int
		s.behind("SELECT COUNT(*) FROM journal_steps WHERE failures > 0 AND error LIKE '%the end of the operation%'", &tries)
		return tries > 0
	})
	s.behind("DROP TRIGGER full")
	s.ended(d.ID)
	text, err := s.store.DrillEvidence(t.Context(), projectID, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	var file evidence.Signed
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{d.ID: s.record(d.ID)}, s.inBank()); diff != "" {
		t.Errorf("the bank has another record than the database: %s", diff)
	}
	for key := range s.bank.Snapshot() {
		if strings.HasSuffix(key, "/evidence/"+d.ID+"/00000002") {
			t.Error("each try has written a record of its own")
		}
	}
	type told struct {
		NewID   string
		NotKept []string
	}
	got := map[string]told{}
	for _, r := range file.Record.Resources {
		if r.Resource == "OS::Nova::Server#s1" || r.Resource == "OS::Cinder::Volume#v1" {
			got[r.Resource] = told{r.NewID, r.NotKept}
		}
	}
	if diff := cmp.Diff(map[string]told{
		"OS::Nova::Server#s1":   {"new-s1", []string{"It has another address."}},
		"OS::Cinder::Volume#v1": {"new-v1", []string{}},
	}, got); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	if log, err := s.store.OperationLog(t.Context(), projectID, d.ID); err != nil || strings.Contains(log.ErrorInfo, "is left") {
		t.Errorf("the log is %+v, %v", log, err)
	}
}

func TestWhatADrillMakesIsMarkedAsItsOwn(t *testing.T) {
	tags := make(chan map[string]string, 3)
	var s *shop
	s = newDrillShop(t, func(ctx context.Context, c *protection.Call) error {
		tags <- c.Tags()
		return s.restoreOne(ctx, c)
	})
	d, err := s.service.Drill(t.Context(), s.caller(), s.request())
	if err != nil {
		t.Fatal(err)
	}
	s.ended(d.ID)
	got := arrives(t, tags)
	delete(got, protection.ResourceTag)
	if diff := cmp.Diff(map[string]string{
		protection.CheckpointTag: d.ID, protection.TemporaryTag: "here", protection.ProviderTag: providerID, protection.DrillTag: "true",
	}, got); diff != "" {
		t.Errorf("the tags (-want +got):\n%s", diff)
	}
}
