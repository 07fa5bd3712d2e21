//go:build banks

package swift_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freePorts gives ports that nobody listens at.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// cluster is a Swift on this machine: Debian's packages, one node, one replica, with
// tempauth in place of Keystone.
type cluster struct {
	t     testing.TB
	dir   string
	proxy string // its address
}

// startCluster starts one, with servers that stop with the test.
func startCluster(t testing.TB) *cluster {
	t.Helper()
	for program, pkg := range map[string]string{
		"swift-proxy-server": "swift-proxy", "swift-account-server": "swift-account", "swift-container-server": "swift-container",
		"swift-object-server": "swift-object", "swift-ring-builder": "swift", "memcached": "memcached",
	} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: install Debian's package %s", program, pkg)
		}
	}
	c := &cluster{t: t, dir: t.TempDir()}
	ports := freePorts(t, 5)
	c.proxy = "http://127.0.0.1:" + ports[4]
	c.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = x\nswift_hash_path_prefix = y\n[storage-policy:0]\nname = Policy-0\ndefault = yes\n")
	if err := os.MkdirAll(filepath.Join(c.dir, "devices", "d1"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, kind := range []string{"account", "container", "object"} {
		c.ring(kind, ports[i])
		c.write(kind+".conf", c.defaults(ports[i])+fmt.Sprintf("[pipeline:main]\npipeline = %[1]s-server\n[app:%[1]s-server]\nuse = egg:swift#%[1]s\n", kind))
		c.run("swift-"+kind+"-server", filepath.Join(c.dir, kind+".conf"), "-v")
	}
	c.run("memcached", "-l", "127.0.0.1", "-p", ports[3], "-U", "0", "-u", "root", "-m", "16")
	c.write("proxy.conf", c.defaults(ports[4])+`
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_karbor_karbor = `+userPassword+` .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:`+ports[3]+`
[filter:s3api]
use = egg:swift#s3api
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
`)
	c.run("swift-proxy-server", filepath.Join(c.dir, "proxy.conf"), "-v")
	c.wait()
	return c
}

func (c *cluster) defaults(port string) string {
	return fmt.Sprintf(`[DEFAULT]
bind_ip = 127.0.0.1
bind_port = %s
workers = 0
user = root
swift_dir = %s
devices = %s
mount_check = false
disable_fallocate = true
recon_cache_path = %s
log_level = WARNING
`, port, c.dir, filepath.Join(c.dir, "devices"), c.dir)
}

func (c *cluster) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// ring makes the ring of one kind of server.
func (c *cluster) ring(kind, port string) {
	c.t.Helper()
	builder := filepath.Join(c.dir, kind+".builder")
	for _, args := range [][]string{
		{builder, "create", "4", "1", "1"},
		{builder, "add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", port, "--device", "d1", "--weight", "100"},
		{builder, "rebalance"},
	} {
		if text, err := exec.CommandContext(c.t.Context(), "swift-ring-builder", args...).CombinedOutput(); err != nil {
			c.t.Fatalf("making a ring: %v: %s", err, text)
		}
	}
}

// run starts a server, which is stopped with the test.
func (c *cluster) run(program string, args ...string) {
	c.t.Helper()
	log, err := os.Create(filepath.Join(c.dir, program+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && c.t.Failed() && len(text) > 0 {
			c.t.Logf("%s says: %s", program, text[max(0, len(text)-3000):])
		}
		_ = log.Close()
	})
}

// login gives a token and the account's URL.
func (c *cluster) login(ctx context.Context) (token, storage string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.proxy+"/auth/v1.0", nil)
	if err != nil {
		return "", "", err
	}
	req.Header.Set("X-Auth-User", "karbor:karbor")
	req.Header.Set("X-Auth-Key", userPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", "", err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("the login gives %s", resp.Status)
	}
	return resp.Header.Get("X-Auth-Token"), resp.Header.Get("X-Storage-Url"), nil
}

// wait waits until the cluster takes objects.
func (c *cluster) wait() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for {
		token, storage, err := c.login(ctx)
		if err == nil {
			if err = c.try(ctx, token, storage); err == nil {
				return
			}
		}
		if ctx.Err() != nil {
			c.t.Fatalf("Swift does not answer: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (c *cluster) try(ctx context.Context, token, storage string) error {
	for _, path := range []string{"/start", "/start/object"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, storage+path, strings.NewReader(""))
		if err != nil {
			return err
		}
		req.Header.Set("X-Auth-Token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode >= http.StatusMultipleChoices {
			return fmt.Errorf("a write gives %s", resp.Status)
		}
	}
	return nil
}

// keystone gives a Keystone whose tokens this Swift takes.
func (c *cluster) keystone() *fakeKeystone {
	c.t.Helper()
	_, storage, err := c.login(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return newKeystone(c.t, storage, func() string {
		token, _, err := c.login(context.Background())
		if err != nil {
			c.t.Errorf("logging in to Swift: %v", err)
		}
		return token
	})
}
