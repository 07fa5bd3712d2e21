//go:build temporal && multihost

package scaleout

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
)

const (
	// networkVariable holds the prefix of the names of all hosts, for the tests that run on one
	// of them.
	networkVariable = "KARBOR_SCALEOUT_NETWORK"
	// dataHost has the database, the engine's cluster, and the tests; cloudHost the cloud;
	// and switchHost is the switch between all.
	dataHost, cloudHost, switchHost = "data", "cloud", "switch"
	names                           = "/run/netns/"
)

// unavailable says why there can be no hosts; "" if there can.
var unavailable string

// hosts are the network namespaces that stand for machines.
var hosts struct {
	prefix string

	mu     sync.Mutex
	byName map[string]*host
	ways   map[string]*temporaltest.Proxy
}

// host is a machine: a network namespace with one link, to the switch.
type host struct {
	name, address string
	// port is the switch's end of its link.
	port string
}

// everywhere makes a network, and runs the tests on a host of it. The network goes with the
// tests, however they end.
func everywhere(m *testing.M) int {
	if hosts.prefix = os.Getenv(networkVariable); hosts.prefix != "" {
		hosts.byName, hosts.ways = map[string]*host{}, map[string]*temporaltest.Proxy{}
		hosts.byName[dataHost] = numbered(dataHost, 1)
		defer func() {
			for _, way := range hosts.ways {
				_ = way.Close()
			}
		}()
		return run(m)
	}
	_, err1 := exec.LookPath("ip")
	_, err2 := exec.LookPath("nsenter")
	switch {
	case os.Geteuid() != 0:
		unavailable = "only root can make network namespaces"
	case errors.Join(err1, err2) != nil:
		unavailable = errors.Join(err1, err2).Error() + " (Debian: iproute2, util-linux)"
	}
	if unavailable != "" {
		return m.Run() // each test skips
	}
	hosts.prefix = fmt.Sprintf("karbor-%d-", os.Getpid())
	code, err := inside()
	if err = errors.Join(err, remove(func(name string) bool { return strings.HasPrefix(name, hosts.prefix) })); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// inside makes the network, and runs this program again on a host of it.
func inside() (int, error) {
	// What a run left that was killed.
	err := remove(func(name string) bool {
		var pid int
		if n, _ := fmt.Sscanf(name, "karbor-%d-", &pid); n != 1 {
			return false
		}
		_, err := os.Stat("/proc/" + strconv.Itoa(pid))
		return errors.Is(err, os.ErrNotExist)
	})
	if err != nil {
		return 1, err
	}
	bridge := hosts.prefix + switchHost
	for _, args := range [][]string{
		{"netns", "add", bridge}, {"-n", bridge, "link", "add", "bridge", "type", "bridge"}, {"-n", bridge, "link", "set", "bridge", "up"},
	} {
		if err := ip(args...); err != nil {
			return 1, err
		}
	}
	data := numbered(dataHost, 1)
	if err := data.build(); err != nil {
		return 1, err
	}
	cmd := data.command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), networkVariable+"="+hosts.prefix)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// What ends this program ends that one, and the network.
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	runtime.LockOSThread() // the death of a thread is that of the parent, for the kernel
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	select {
	case err = <-over:
	case s := <-told:
		_ = cmd.Process.Signal(s)
		err = <-over
	}
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return max(failed.ExitCode(), 1), nil
	}
	return 0, err
}

// remove removes the namespaces of some names, and with them their links.
func remove(which func(name string) bool) error {
	entries, err := os.ReadDir(names)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if which(e.Name()) {
			errs = append(errs, ip("netns", "del", e.Name()))
		}
	}
	return errors.Join(errs...)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func numbered(name string, n int) *host {
	return &host{name: name, address: fmt.Sprintf("10.213.7.%d", n), port: fmt.Sprintf("port%d", n)}
}

func (h *host) namespace() string { return hosts.prefix + h.name }

func (h *host) build() error {
	own, bridge := h.namespace(), hosts.prefix+switchHost
	var errs []error
	for _, args := range [][]string{
		{"netns", "add", own},
		{"link", "add", "eth0", "netns", own, "type", "veth", "peer", "name", h.port, "netns", bridge},
		{"-n", bridge, "link", "set", h.port, "master", "bridge", "up"},
		{"-n", own, "addr", "add", h.address + "/24", "dev", "eth0"},
		{"-n", own, "link", "set", "eth0", "up"},
		{"-n", own, "link", "set", "lo", "up"},
	} {
		errs = append(errs, ip(args...))
	}
	return errors.Join(errs...)
}

// command makes a command that runs on the host: nsenter becomes the program.
func (h *host) command(program string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + filepath.Join(names, h.namespace()), "--", program}, args...)...)
}

// cut takes the host's link down, until join or the end of the test.
func (h *host) cut(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { h.join(t) })
	if err := ip("-n", hosts.prefix+switchHost, "link", "set", h.port, "down"); err != nil {
		t.Fatal(err)
	}
}

// join takes it up again.
func (h *host) join(t *testing.T) {
	t.Helper()
	if err := ip("-n", hosts.prefix+switchHost, "link", "set", h.port, "up"); err != nil {
		t.Error(err)
	}
}

// hostOf gives the host of a name, which is made if need be.
func hostOf(t testing.TB, name string) *host {
	t.Helper()
	hosts.mu.Lock()
	defer hosts.mu.Unlock()
	h := hosts.byName[name]
	if h == nil {
		h = numbered(name, len(hosts.byName)+1)
		if err := h.build(); err != nil {
			t.Fatal(err)
		}
		hosts.byName[name] = h
	}
	return h
}

// startCloud starts a cloud that listens on its host, though it is of this process: a socket
// stays in the namespace in which it was made.
func startCloud(t *testing.T, edit func(*testcloud.Options)) *testcloudtest.Cloud {
	t.Helper()
	if unavailable != "" {
		t.Skip(unavailable)
	}
	h := hostOf(t, cloudHost)
	there, err := os.Open(filepath.Join(names, h.namespace()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = there.Close() }()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = here.Close() }()
	runtime.LockOSThread()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err) // and the thread ends with its goroutine
	}
	defer func() {
		if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
		}
	}()
	return testcloudtest.Start(t, edit, func(o *testcloud.Options) { o.Listen = h.address + ":0" })
}

// reachable gives the address, on the host of the data, of a server that listens on the
// host's loopback.
func reachable(t testing.TB, address string) string {
	t.Helper()
	hosts.mu.Lock()
	defer hosts.mu.Unlock()
	way := hosts.ways[address]
	if way == nil {
		var err error
		if way, err = temporaltest.NewProxyAt(t.Context(), hosts.byName[dataHost].address+":0", address); err != nil {
			t.Fatal(err)
		}
		hosts.ways[address] = way
	}
	return way.Address
}
