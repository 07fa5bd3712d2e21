package repository

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// writeOnce writes a stream to a project's domain.
func writeOnce(t *testing.T, d *Domains, project, name string) {
	t.Helper()
	w, err := d.writer(t.Context(), project, name, "v1/checkpoints/"+project+"/"+name+"/manifest")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(w, "bytes of ", name); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDomainsThatNobodyUsesAreClosed(t *testing.T) {
	m, now := banktest.NewMemory(), time.Now()
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	pass := func(by time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(by)
	}
	d, err := NewDomains(Options{Bank: m, Keys: []*keyring.Source{keyring.Key(keyring.NewKey())}, Cache: t.TempDir(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	open := func() (n int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, one := range d.open {
			if one.reading != nil {
				n++
			}
		}
		return n
	}
	sessions := func() (n int) {
		for key := range m.Snapshot() {
			if strings.Contains(key, "/sessions/") {
				n++
			}
		}
		return n
	}
	for n := range maxOpen + 3 {
		writeOnce(t, d, fmt.Sprint("project-", n), "first")
		pass(time.Second)
	}
	d.closeIdle()
	if open() != maxOpen || sessions() < maxOpen {
		t.Errorf("%d domains are open with %d records of sessions, want the %d used last", open(), sessions(), maxOpen)
	}
	used, err := d.Use(t.Context(), "project-0") // closed, and opened again
	if err != nil {
		t.Fatal(err)
	}
	pass(idle)
	d.closeIdle()
	if open() != 1 {
		t.Errorf("%d domains are open, want the one that is in use", open())
	}
	used.Done()
	used.Done()
	pass(idle)
	d.closeIdle()
	if open() != 0 || sessions() != 0 {
		t.Errorf("%d domains are open, %d records of sessions are left", open(), sessions())
	}
	d.closeIdle()
	d.mu.Lock()
	if len(d.open) != 0 || len(d.making) != 0 {
		t.Errorf("%d and %d domains are remembered", len(d.open), len(d.making))
	}
	d.mu.Unlock()
	writeOnce(t, d, "project-1", "second")
}

func TestDomainsAreUsedAndClosedAtTheSameTime(t *testing.T) {
	m := banktest.NewMemory()
	d, err := NewDomains(Options{Bank: m, Keys: []*keyring.Source{keyring.Key(keyring.NewKey())}, Cache: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var users sync.WaitGroup
	for n := range 8 {
		users.Go(func() {
			for i := range 5 {
				writeOnce(t, d, fmt.Sprint("project-", n%3), fmt.Sprint(n, "-", i))
			}
		})
	}
	stop := make(chan struct{})
	var closing sync.WaitGroup
	closing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if one := d.unused(); one != nil {
					one.mu.unlock()
				}
				d.closeIdle()
			}
		}
	})
	users.Wait()
	close(stop)
	closing.Wait()
	if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := d.Use(t.Context(), "project-0"); err == nil {
		t.Error("closed domains are opened")
	}
}
