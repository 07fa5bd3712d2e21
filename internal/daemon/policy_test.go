package daemon

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/policy"
)

// lines is a log of which each line is a signal.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestAHangupReadsThePolicyFileAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hangups := make(chan os.Signal, 1)
	log := make(lines, 10)
	c := config.Default()
	c.Policy.Folder = dir
	d := &Daemon{}
	if err := d.openPolicy(Options{Config: c, Hangups: hangups, Logger: slog.New(slog.NewTextHandler(log, nil))}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.reloadPolicy(ctx) }()
	id := &karbor.Identity{ProjectID: "p", Roles: []string{"member"}}
	for text, want := range map[string]bool{"\"plan:get\": \"!\"\n": false, "\"plan:get\": \"@\"\n": true} {
		if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		hangups <- syscall.SIGHUP
		if line := <-log; !strings.Contains(line, "policy is read again") {
			t.Errorf("the log says %q", line)
		}
		if got := d.policy.Allowed("plan:get", id, policy.Target{ProjectID: "p"}); got != want {
			t.Errorf("with %q it is %t", text, got)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAWrongPolicyFileStopsTheStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("\"plan:get\": \"role:a or\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Policy.File = path
	err := (&Daemon{}).openPolicy(Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), path+":1: rule plan:get: at its end: a check is missing") {
		t.Errorf("the error is %v", err)
	}
}
