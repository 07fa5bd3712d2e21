package failure

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The providers of every site: the bank's data lies deduplicated and encrypted, that of the
// others in the clear.
const (
	bankProvider  = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	imageProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02" // protects images only
	noopProvider  = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b03"
)

var providerFiles = map[string]string{
	bankProvider: `name: bank
bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank}}
repository: {keys: [{file: %[1]s/bank.key}]}
copies: [{name: offsite, bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank-offsite}}}]
plugins:
  - plugin: karbor-project-protection-plugin
  - plugin: karbor-server-protection-plugin
  - plugin: karbor-volume-glance-plugin
    options: {%[2]s}
  - plugin: karbor-image-protection-plugin
    options: {%[2]s}
  - plugin: karbor-network-protection-plugin
`,
	imageProvider: `name: images
bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank-images}}
plugins:
  - plugin: karbor-image-protection-plugin
    options: {%[2]s}
`,
	noopProvider: `name: noop
bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank-noop}}
plugins:
  - plugin: karbor-noop-plugin
`,
}

// site is a cloud and a process of the service beside it.
type site struct {
	t     *testing.T
	dir   string
	cloud *cloud
	// earlier is what there was in the cloud before, if it is not the site's own.
	earlier []string
	disks   map[string]int64
	// engine carries out the operations.
	engine config.Engine
	// api is the address of the running process.
	api string
	// doom is what the next process dies of; nil for none.
	doom *doom
	// external is the network that the next process makes drills' addresses in; "" for none.
	external string
	// gib is how many bytes each GiB of a volume has, if the cloud can be told; 0 for as many as it likes.
	gib int64
	// settle is how long the service looks for what the cloud gave no answer for; 0 for its default.
	settle time.Duration
	// sweeping has the next process look for orphans all the time, however young.
	sweeping bool

	mu      sync.Mutex
	log     bytes.Buffer
	process *process
}

// process is one process of the service.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
	// armed is told when the process counts boundaries, passed how many of each kind it has passed.
	armed  chan struct{}
	passed chan map[string]int
	// dies says at which boundary it ended itself; "" if it did not. It is to be read
	// after the end.
	dies string
}

// newSite starts a cloud and a process. The test runs beside others.
func newSite(t *testing.T, edits ...func(*site)) *site {
	t.Helper()
	t.Parallel()
	s := &site{t: t, dir: t.TempDir(), disks: map[string]int64{}, engine: newEngine(t)}
	for _, edit := range edits {
		edit(s)
	}
	s.openCloud()
	if s.external != "" {
		s.external = s.publicNetwork()
	}
	providers := filepath.Join(s.dir, "providers.d")
	if err := os.MkdirAll(providers, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := keyring.WriteKeyFile(filepath.Join(s.dir, "bank.key")); err != nil {
		t.Fatal(err)
	}
	evidenceKey, err := evidence.NewKeyFile()
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "evidence.key"), []byte(evidenceKey.Reveal()), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for id, text := range providerFiles {
		text = "id: " + id + "\n" + fmt.Sprintf(text, s.dir, pace)
		if err := os.WriteFile(filepath.Join(providers, id+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if s.process != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("the service's log:\n%s", s.logged())
		}
	})
	storetest.NewFile(t, filepath.Join(s.dir, "state", "karbor.db"))
	s.start()
	return s
}

// start starts a process and waits until it is ready.
func (s *site) start() {
	s.t.Helper()
	p, ready := s.launch()
	select {
	case s.api = <-ready:
		s.process = p
	case <-p.ended:
		s.t.Fatalf("the service did not start: %v\n%s", p.err, s.logged())
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		s.t.Fatalf("the service was not ready in time\n%s", s.logged())
	}
}

// launch starts a process. ready gets its address.
func (s *site) launch() (p *process, ready chan string) {
	s.t.Helper()
	user, _ := s.cloud.User("karbor")
	text, err := json.Marshal(orders{
		State: filepath.Join(s.dir, "state"), Providers: filepath.Join(s.dir, "providers.d"), AuthURL: s.cloud.URL(),
		Password: user.Password, Timeout: cloudTimeout, Engine: s.engine, EvidenceKey: filepath.Join(s.dir, "evidence.key"), Disks: s.disks, Doom: s.doom, Sweeping: s.sweeping, External: s.external, Settle: s.settle,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ordersVariable+"="+string(text))
	cmd.Stderr = logWriter{s}
	if len(s.disks) > 0 {
		cmd.SysProcAttr = ownDisks(os.Getuid(), os.Getgid())
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	err = cmd.Start()
	if len(s.disks) > 0 && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC)) {
		s.t.Skip("this machine gives a test no disk of its own: it needs user namespaces (user.max_user_namespaces)")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	p, ready = &process{cmd: cmd, ended: make(chan struct{}), armed: make(chan struct{}, 1), passed: make(chan map[string]int, 1)}, make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			switch word {
			case "ready":
				ready <- rest
			case armedWord:
				p.armed <- struct{}{}
			case passedWord:
				var kinds map[string]int
				_ = json.Unmarshal([]byte(rest), &kinds) // none is told by the test
				p.passed <- kinds
			case diesWord:
				p.dies = rest
			}
		}
		p.err = cmd.Wait()
	}()
	return p, ready
}

// end sends the process a signal and waits for its end.
func (s *site) end(signal syscall.Signal) error {
	s.t.Helper()
	p := s.process
	s.process = nil
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		s.t.Errorf("the process did not end after %s", signal)
	}
	return p.err
}

// kill ends the process as a power failure does.
func (s *site) kill() {
	s.t.Helper()
	_ = s.end(syscall.SIGKILL)
}

// logWriter collects what the processes log.
type logWriter struct{ *site }

// Write implements io.Writer.
func (w logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

var _ io.Writer = logWriter{}

// logged gives what the processes have logged so far, but for the requests.
func (s *site) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for line := range strings.Lines(s.log.String()) {
		if !strings.Contains(line, "msg=request ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// fault makes something go wrong in the cloud, until the test or heal ends it.
func (s *site) fault(f fabric.Fault) {
	s.t.Helper()
	if _, err := s.cloud.Faults().Add(f); err != nil {
		s.t.Fatal(err)
	}
}

// struck waits until a fault has acted n times in all.
func (s *site) struck(n int) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("%d failures of the cloud", n), func() bool {
		acted := 0
		for _, f := range s.cloud.Faults().List() {
			acted += f.Acted
		}
		return acted >= n
	})
}

// await asks again and again until done is true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// grep gives the lines of the log that hold a text.
func (s *site) grep(text string) []string {
	var found []string
	for line := range strings.Lines(s.logged()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
