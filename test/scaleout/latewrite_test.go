//go:build temporal && multihost

package scaleout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
)

// lately has a process that is started now write late to the bank that others write to at once.
func (s *site) lately() func(*config.Config) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.config.Providers, "bank.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	dir := filepath.Join(s.dir, "late.d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	changed := strings.Replace(string(text), "karbor-file-bank", "late-file-bank", 1)
	if err := os.WriteFile(filepath.Join(dir, "bank.yaml"), []byte(changed), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return func(c *config.Config) { c.Providers = dir }
}

// TestLateWriteOfAWorkerThatIsCutOffDoesNoHarm has a worker lose its link while it writes to the bank, a
// shared folder. What it writes arrives when another worker has made the checkpoint.
func TestLateWriteOfAWorkerThatIsCutOffDoesNoHarm(t *testing.T) {
	for _, part := range lateParts {
		t.Run(part, func(t *testing.T) {
			s := newSite(t)
			s.start("api1", roleAPI)
			one := s.start("one", roleProtection, s.lately())
			late := gates(filepath.Join(s.dir, "bank.late"))
			u := s.tenant()
			plan := u.plan()
			s.hold()
			id := u.protect(plan)
			s.await("the transfer", func() bool { return s.held() > 0 })
			late.shut(s, part, 0)
			s.cloud.Faults().Clear()
			s.await("the write", func() bool { return len(late.noted(part+".stopped")) > 0 })
			s.start("two", roleProtection)
			one.host.cut(t)
			cut := time.Now()
			u.available(id)
			u.verify(id)
			if n := len(late.noted(part + ".arrived")); n > 0 {
				t.Fatalf("%d late writes arrived already", n)
			}
			late.open(s, part)
			s.await("the late write", func() bool { return len(late.noted(part+".arrived")) > 0 })
			one.host.join(t)
			back := time.Now()
			t.Logf("the worker was cut off for %s; late were %v", back.Sub(cut), late.noted(part+".arrived"))
			s.await("the worker that was cut off to be back", func() bool { return s.reports("one", back) })
			u.available(id)
			u.verify(id)
			// Both are of use again.
			all := []string{id}
			for range 4 {
				next := u.protect(plan)
				u.available(next)
				all = append(all, next)
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
