package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func TestAServiceHasTheVersionOfTheProgramThatReportedLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	for _, version := range []string{"v1.2.3", "v1.3.0-rc.1"} {
		s, err := store.Open(t.Context(), path, store.Options{Now: time.Now, Program: version})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.ReportService(t.Context(), "host", karbor.ProtectionBinary); err != nil || got.Version != version {
			t.Errorf("it has the version %q, %v", got.Version, err)
		}
		if list, err := s.Services(t.Context(), store.ServiceFilter{}); err != nil || len(list) != 1 || list[0].Version != version {
			t.Errorf("listed are %+v, %v", list, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
