package cli_test

import (
	"context"
	"flag"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/karbor/karbor/internal/cli"
)

var update = flag.Bool("update", false, "write the golden files of the scripts anew")

// clock is a time that moves only when somebody pauses.
type clock struct{ now time.Time }

func (c *clock) pause(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

// TestStories runs the scripts. "karbor CODE ARGS..." runs the command in this
// process and checks its exit code; "service WORD..." changes how the fake
// service behaves.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			f := newFake(e.T().(testing.TB))
			e.Values["fake"] = f
			e.Setenv("URL", f.server.URL)
			for k, v := range map[string]string{"OS_AUTH_URL": f.server.URL + "/v3", "OS_USERNAME": "demo",
				"OS_PASSWORD": password, "OS_PROJECT_NAME": "demo"} {
				e.Setenv(k, v)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"karbor": runKarbor, "service": changeService},
	})
}

func runKarbor(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: karbor EXITCODE ARGS...")
	}
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pause := c.pause
	if ts.Getenv("INTERRUPT") != "" {
		pause = func(ctx context.Context, _ time.Duration) error {
			cancel()
			return ctx.Err()
		}
	}
	// An interrupt at the terminal, in place of a signal.
	again := func(ctx context.Context) (context.Context, func(), bool) {
		return context.WithoutCancel(ctx), func() {}, ts.Getenv("INTERRUPT") == "keyboard"
	}
	code := cli.Run(ctx, args[1:], cli.Options{
		Again: again,
		Stdin: strings.NewReader(""), Stdout: ts.Stdout(), Stderr: ts.Stderr(), Env: ts.Getenv,
		Now: func() time.Time { return c.now }, Pause: pause, Version: "test",
		HTTP: func(cli.Trust) (*http.Client, error) { return &http.Client{}, nil },
	})
	if code != want {
		ts.Fatalf("exit code %d, not %d", code, want)
	}
}

func changeService(ts *testscript.TestScript, _ bool, args []string) {
	f := ts.Value("fake").(*fake)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, word := range args {
		switch word {
		case "down":
			f.down = true
		case "up":
			f.down = false
		case "expired":
			f.expired, f.logins = true, 0
		case "bad":
			f.bad = true
		case "live":
			f.live = true
		default:
			ts.Fatalf("unknown word %q", word)
		}
	}
}
