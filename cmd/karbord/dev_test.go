package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/karbor/karbor/internal/cli"
)

// devSite is a running karbord dev, and a tenant who uses the karbor command with it.
type devSite struct {
	t *testing.T
	// env are the variables of the tenant's openrc file.
	env map[string]string
}

// dev starts karbord dev with the example and more arguments, and waits until it is ready.
func dev(t *testing.T, more ...string) *devSite {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	in, out := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	cmd := command(out, t.Output())
	cmd.SetArgs(append([]string{"dev", "--example", "--state", state, "--listen", "127.0.0.1:0", "--cloud-listen", "127.0.0.1:0"}, more...))
	ended := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(ctx)
		_ = out.CloseWithError(err) // a PipeWriter gives none
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("karbord dev ended: %v", err)
		}
	})
	if line, err := bufio.NewReader(in).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("the ready line is %q, %v", line, err)
	}
	return &devSite{t: t, env: openrc(t, filepath.Join(state, "openrc-demo"))}
}

// openrc reads the variables that an openrc file exports.
func openrc(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if name, value, found := strings.Cut(words, "="); ok && found {
			env[name] = strings.Trim(value, `'"`)
		}
	}
	return env
}

// karbor runs the tenant's command, and reads what it prints as JSON into answer.
func (s *devSite) karbor(answer any, args ...string) {
	s.t.Helper()
	var out, errOut bytes.Buffer
	code := cli.Run(s.t.Context(), append(args, "-f", "json"), cli.Options{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errOut, Now: time.Now, Version: "test",
		Env:   func(name string) string { return s.env[name] },
		HTTP:  func(cli.Trust) (*http.Client, error) { return &http.Client{Timeout: time.Minute}, nil },
		Pause: pauseFor,
	})
	if code != 0 {
		s.t.Fatalf("karbor %s: exit code %d: %s", strings.Join(args, " "), code, errOut.String())
	}
	if err := json.Unmarshal(out.Bytes(), answer); err != nil {
		s.t.Fatalf("karbor %s: %v in %s", strings.Join(args, " "), err, out.String())
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// A trigger that fires every two seconds stands for one that fires each minute: it goes the same way.
func TestDevRunsAScheduleAtEachOfItsTimes(t *testing.T) {
	const times, apart = 5, 2 * time.Second // karbord keeps five runs that have ended
	s := dev(t, "--min-interval", apart.String())
	var plan, trigger struct{ ID string }
	var operation struct {
		ID   string
		Next time.Time `json:"next_run_at"`
	}
	s.karbor(&plan, "plan", "create", "shop", "bank", "--resource", "server:db", "-q")
	start := time.Now().UTC().Truncate(time.Second).Add(6 * time.Second)
	var dates []string
	for i := range times {
		dates = append(dates, start.Add(time.Duration(i)*apart).Format("20060102T150405Z"))
	}
	s.karbor(&trigger, "trigger", "create", "often", "--calendar", "BEGIN:VEVENT\nRDATE:"+strings.Join(dates, ",")+"\nEND:VEVENT")
	s.karbor(&operation, "scheduledoperation", "create", "shop-often", "protect", "often", "--plan", "shop")
	expected := int(start.Add((times-1)*apart).Sub(operation.Next)/apart) + 1
	runs := s.until(operation.ID, func(runs []devRun) bool { return len(runs) == expected && over(runs) })
	var made, available []string
	for i, r := range runs {
		if want := operation.Next.Add(time.Duration(i) * apart); !r.Expected.Equal(want) {
			t.Fatalf("run %d is of %s, want %s", i, r.Expected, want)
		}
		switch r.State {
		case "success":
			made = append(made, r.CheckpointID)
		case "skipped": // on a slow machine, the one before it still ran
		default:
			t.Errorf("the run of %s is %s: %s", r.Expected, r.State, r.Reason)
		}
	}
	var checkpoints []struct{ ID, Status string }
	s.karbor(&checkpoints, "checkpoint", "list", "bank", "--plan", plan.ID)
	for _, c := range checkpoints {
		if c.Status == "available" {
			available = append(available, c.ID)
		}
	}
	if diff := cmp.Diff(made, available, cmpopts.SortSlices(strings.Compare)); diff != "" || len(made) == 0 {
		t.Errorf("the checkpoints are not those of the runs (-runs +checkpoints):\n%s", diff)
	}
}

// devRun is a run as the karbor command lists it.
type devRun struct {
	Expected      time.Time `json:"expected_at"`
	CheckpointID  string    `json:"checkpoint_id"`
	State, Reason string
}

// over reports whether runs are over.
func over(runs []devRun) bool {
	return !slices.ContainsFunc(runs, func(r devRun) bool { return r.State == "queued" || r.State == "running" })
}

// until waits until the runs of a scheduled operation are as wanted, and gives them. The oldest is
// the first.
func (s *devSite) until(operation string, wanted func([]devRun) bool) []devRun {
	s.t.Helper()
	var found []devRun
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		found = nil
		s.karbor(&found, "scheduledoperation", "log", operation)
		if slices.Reverse(found); wanted(found) {
			return found
		}
	}
	s.t.Fatalf("the runs are %+v", found)
	return nil
}
