package policy

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor"
)

// logged is a log that tests read while others write.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take gives the lines since the last call.
func (l *logged) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(l.text.String())
	l.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

var member = &karbor.Identity{ProjectID: "p", Roles: []string{"member"}}

func mayRead(e *Enforcer) bool { return e.Allowed("plan:get", member, Target{ProjectID: "p"}) }

// replace puts a file in the place of another at once, as a careful program does.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAChangedFileIsReadWhileItRuns(t *testing.T) {
	const deny, allow = "\"plan:get\": \"!\"\n", "\"plan:get\": \"@\"\n"
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		e, err := Open(Options{Files: []string{path, filepath.Join(dir, "policy.json")}, Logger: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		step := func(what string, change func(), may bool, words ...string) {
			t.Helper()
			change()
			time.Sleep(DefaultInterval + time.Millisecond)
			synctest.Wait()
			if got := mayRead(e); got != may {
				t.Errorf("%s: may read is %t", what, got)
			}
			lines := log.take()
			if len(lines) != len(words) {
				t.Fatalf("%s: the log has %q, want %d lines", what, lines, len(words))
			}
			for i, w := range words {
				if !strings.Contains(lines[i], w) {
					t.Errorf("%s: the log says %q, want %q", what, lines[i], w)
				}
			}
		}
		nothing := func() {}
		step("no file", nothing, true)
		step("a file comes", func() { write(t, path, deny) }, false, "policy is read again")
		step("nothing changes", nothing, false)
		step("another file of the same size", func() { replace(t, path, allow) }, true, "policy is read again")
		step("a broken file", func() { replace(t, path, "\"plan:get\": \"role\"\n") }, true, "level=ERROR msg=\"policy file is refused")
		step("it stays broken", nothing, true)
		step("it is mended", func() { replace(t, path, deny) }, false, "policy is read again")
		step("a doubtful rule", func() { replace(t, path, deny+"\"plan:burn\": \"@\"\n") }, false, "level=WARN msg=\"policy file has a doubtful rule\"", "policy is read again")
		step("it is gone", func() { _ = os.Remove(path) }, false, "policy file is gone")
		step("it stays gone", nothing, false)
		step("SIGHUP", func() { e.Reload(ctx) }, true, "policy is read again")
		step("the other file comes", func() { write(t, filepath.Join(dir, "policy.json"), `{"plan:get": "!"}`) }, false, "policy is read again")
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	goleak.VerifyNone(t)
}

func TestReloadOfARequiredFileThatIsGoneKeepsTheRules(t *testing.T) {
	t.Parallel()
	path := policyFile(t, "policy.yaml", "\"plan:get\": \"!\"\n")
	log := &logged{}
	e, err := Open(Options{Files: []string{path}, Required: true, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	e.Reload(t.Context())
	if lines := log.take(); mayRead(e) || len(lines) != 1 || !strings.Contains(lines[0], "there is no policy file") {
		t.Errorf("may read is %t, the log has %q", mayRead(e), lines)
	}
	if _, err := Open(Options{Files: []string{path}, Required: true}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the start without the file gives %v", err)
	}
}

func TestDecisionsDuringAReloadAreByOneSetOfRules(t *testing.T) {
	t.Parallel()
	path := policyFile(t, "policy.yaml", "x: '@'\ny: '@'\n\"plan:get\": \"rule:x and rule:y\"\n")
	e, err := Open(Options{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !mayRead(e) {
					t.Error("a decision was made by two sets of rules")
					return
				}
			}
		})
	}
	for i := range 50 {
		// In each file one of the two is denied by name but not by reference.
		text := "x: '@'\ny: '@'\n\"plan:get\": \"rule:x and rule:y\"\n"
		if i%2 == 0 {
			text = "x: '!'\ny: '!'\n\"plan:get\": \"not rule:x and not rule:y\"\n"
		}
		replace(t, path, text)
		e.Reload(t.Context())
	}
	close(stop)
	wg.Wait()
}
