// Package bench measures karbord as a whole: the program as it is built, beside
// the simulated cloud, from outside. Run it with `make bench`.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// karbord is a running `karbord dev`.
type karbord struct {
	cmd        *exec.Cmd
	api, cloud string
	state      string
	token      string
	project    string
	// volumes is the address of the simulated cloud's volume service.
	volumes string
}

// build builds karbord, unless KARBOR_BENCH_KARBORD names one to measure.
func build(b *testing.B) string {
	b.Helper()
	if path := os.Getenv("KARBOR_BENCH_KARBORD"); path != "" {
		return path
	}
	path := filepath.Join(b.TempDir(), "karbord")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", path, "github.com/karbor/karbor/cmd/karbord")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building karbord: %v\n%s", err, out)
	}
	return path
}

// start runs karbord and waits for its ready line.
func start(b *testing.B, path, state string) *karbord {
	b.Helper()
	cmd := exec.Command(path, "dev", "--state", state, "--listen", "127.0.0.1:0", "--cloud-listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("waiting for the ready line: %v", err)
	}
	k := &karbord{cmd: cmd, state: state}
	for field := range strings.FieldsSeq(line) {
		if v, ok := strings.CutPrefix(field, "api="); ok {
			k.api = v
		}
		if v, ok := strings.CutPrefix(field, "cloud="); ok {
			k.cloud = v
		}
	}
	return k
}

func (k *karbord) stop(b *testing.B) {
	b.Helper()
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := k.cmd.Wait(); err != nil {
		b.Fatalf("karbord did not stop cleanly: %v", err)
	}
}

// login gets a token of tenant demo.
func (k *karbord) login(b *testing.B) {
	b.Helper()
	rc, err := os.ReadFile(filepath.Join(k.state, "openrc-demo"))
	if err != nil {
		b.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(rc)) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	body := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"id":"default"},"password":%q}}},
		"scope":{"project":{"name":%q,"domain":{"id":"default"}}}}}`, env["OS_USERNAME"], env["OS_PASSWORD"], env["OS_PROJECT_NAME"])
	resp, err := http.Post(k.cloud+"/auth/tokens", "application/json", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var token struct {
		Token struct {
			Project struct{ ID string }
			Catalog []struct {
				Type      string
				Endpoints []struct{ Interface, URL string }
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || resp.StatusCode != http.StatusCreated {
		b.Fatalf("logging in: %s, %v", resp.Status, err)
	}
	k.token, k.project = resp.Header.Get("X-Subject-Token"), token.Token.Project.ID
	for _, service := range token.Token.Catalog {
		for _, e := range service.Endpoints {
			if strings.Contains(service.Type, "volume") || strings.Contains(service.Type, "block") {
				k.volumes = e.URL
			}
		}
	}
}

// volume makes a volume of 1 GiB, and gives its id.
func (k *karbord) volume(b *testing.B) string {
	b.Helper()
	var made struct{ Volume struct{ ID string } }
	k.ask(b, "POST", k.volumes+"/volumes", `{"volume":{"size":1}}`, &made)
	return made.Volume.ID
}

// do makes a request of the API and decodes the answer.
func (k *karbord) do(b *testing.B, method, path, body string, into any) {
	b.Helper()
	k.ask(b, method, k.api+"/v1/"+k.project+path, body, into)
}

// ask makes a request as the tenant and decodes the answer.
func (k *karbord) ask(b *testing.B, method, url, body string, into any) {
	b.Helper()
	if err := k.request(b.Context(), method, url, body, into); err != nil {
		b.Fatal(err)
	}
}

// request is ask for clients that run beside the benchmark's own goroutine, which
// alone may end it.
func (k *karbord) request(ctx context.Context, method, url, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Auth-Token", k.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s %w", method, url, resp.Status, text, err)
	}
	return json.Unmarshal(text, into)
}

// rss gives the process's resident memory in bytes.
func (k *karbord) rss(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", k.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb << 10
		}
	}
	b.Fatal(errors.New("no VmRSS"))
	return 0
}

// cpu gives the CPU time that the process has used.
func (k *karbord) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", k.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte(") "))
	fields := strings.Fields(string(rest))
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	const ticksPerSecond = 100
	return time.Duration(ticks) * time.Second / ticksPerSecond
}
