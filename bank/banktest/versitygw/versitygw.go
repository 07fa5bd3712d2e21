// Package versitygw starts a real S3 server for tests: versitygw, on loopback, in a temporary folder. It
// is built from its Go module, which is in the go.mod of test/servers; the first build takes minutes.
package versitygw

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What requests are signed with.
const (
	AccessKeyID     = "karbortest"
	SecretAccessKey = "karbortest-secret"
	Region          = "us-east-1"
)

// startTime bounds the start of a server.
const startTime = 30 * time.Second

// program builds the server, once.
var program = sync.OnceValues(func() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("the folder of the sources is not known")
	}
	out := filepath.Join(os.TempDir(), fmt.Sprintf("karbor-versitygw-%d", os.Getuid()))
	cmd := exec.Command("go", "build", "-o", out, "github.com/versity/versitygw/cmd/versitygw")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..", "..", "test", "servers")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building versitygw: %w: %s", err, text)
	}
	return out, nil
})

// Start starts a server that has some empty buckets, and gives its URL. It stops with the test.
func Start(t testing.TB, buckets ...string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data, versions := filepath.Join(dir, "data"), filepath.Join(dir, "versions")
	folders := []string{data, versions}
	for _, b := range buckets {
		folders = append(folders, filepath.Join(data, b)) // a bucket is a folder
	}
	for _, folder := range folders {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	cmd := exec.Command(path, "--port", address, "--access", AccessKeyID, "--secret", SecretAccessKey, "--region", Region, "--health", "/health",
		"--quiet", "posix", "--versioning-dir", versions, data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() && len(text) > 0 {
			t.Logf("the server says: %s", text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	})
	await(t, "http://"+address+"/health")
	return "http://" + address
}

// freeAddress gives an address on loopback that nobody listens at.
func freeAddress(t testing.TB) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// await waits until a server answers.
func await(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", url, err)
		}
	}
}
