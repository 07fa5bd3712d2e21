//go:build temporal

package scaleout

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/store/storetest/servers"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
)

const (
	imageProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	noopProvider  = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b03"
	emptyProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b04"
	patience      = 2 * time.Minute
	ofBytes       = "/file$"
)

const providerFile = `id: ` + imageProvider + `
name: bank
bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank}}
repository: {keys: [{file: %[1]s/bank.key}]}
plugins:
  - plugin: karbor-image-protection-plugin
    options: {poll_interval: 50ms, timeout: 20s}
`

const noopFile = `id: ` + noopProvider + `
name: noop
bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank-noop}}
plugins:
  - plugin: karbor-noop-plugin
`

const emptyFile = `id: ` + emptyProvider + `
name: empty
bank: {plugin: karbor-file-bank, options: {path: %[1]s/bank-empty}}
plugins:
  - plugin: empty-hook-plugin
`

// site is a simulated cloud, a database and a task queue, for processes of the service.
type site struct {
	t      *testing.T
	dir    string
	cloud  *testcloudtest.Cloud
	config config.Config
	api    string
	// database is the name of its database, on server.
	database string
	server   *servers.Server

	mu  sync.Mutex
	log bytes.Buffer
}

// process is one process of the service.
type process struct {
	s     *site
	name  string
	host  *host
	cmd   *exec.Cmd
	ended chan struct{}
	// address is where it serves the API; "" without the role.
	address string
}

// newSite makes a site whose database is on PostgreSQL.
func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteOn(t, cluster.PostgreSQL)
}

// newSiteOn makes a site whose database is on a server.
func newSiteOn(t *testing.T, server *servers.Server) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), server: server}
	s.cloud = startCloud(t, func(o *testcloud.Options) { o.Timing = fabric.Timing{Change: time.Millisecond} })
	var err error
	if s.database, err = server.NewDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(s.dir, "providers.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("providers.d/bank.yaml", fmt.Sprintf(providerFile, s.dir))
	write("providers.d/noop.yaml", fmt.Sprintf(noopFile, s.dir))
	write("providers.d/empty.yaml", fmt.Sprintf(emptyFile, s.dir))
	if err := keyring.WriteKeyFile(filepath.Join(s.dir, "bank.key")); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Providers = filepath.Join(s.dir, "providers.d")
	local := fmt.Sprintf("127.0.0.1:%d", server.Port)
	c.Database.URL, c.Database.AutoUpgrade = strings.Replace(server.URL(s.database), local, reachable(t, local), 1), true
	c.Database.TLS = "off"
	c.Database.PasswordFile = write("database.password", servers.Password.Reveal())
	c.ServiceKeyFile = write("service.key", strings.Repeat("0123456789abcdef", 4)+"\n")
	c.Keystone.AuthURL, c.Keystone.Timeout = s.cloud.URL(), time.Second
	c.Engine.Type = config.TemporalEngine
	c.Engine.Temporal.Address, c.Engine.Temporal.Queue = reachable(t, cluster.Address), server.Scheme+"-"+s.database
	c.Engine.Temporal.Namespace = temporaltest.Namespace
	s.config = c
	t.Cleanup(func() {
		if t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Logf("the service's log:\n%s", s.log.String())
		}
	})
	return s
}

// start starts a process and waits until it is ready. Its name is that of its state folder,
// and of its host.
func (s *site) start(name string, roles daemon.Roles, edits ...func(*config.Config)) *process {
	s.t.Helper()
	user, _ := s.cloud.User("karbor")
	o := orders{Config: s.config, Roles: roles, Password: user.Password}
	h := hostOf(s.t, name)
	o.Config.State, o.Config.Services.Host, o.Config.Listen = filepath.Join(s.dir, name), name, h.address+":0"
	for _, edit := range edits {
		edit(&o.Config)
	}
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{s: s, name: name, host: h, cmd: h.command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), ordersVariable+"="+string(text))
	p.cmd.Stderr = logWriter{s, name}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if address, ok := strings.CutPrefix(lines.Text(), "ready"); ok {
				ready <- strings.TrimSpace(address)
			}
		}
		_ = p.cmd.Wait()
	}()
	s.t.Cleanup(func() { p.end(syscall.SIGKILL) })
	select {
	case address := <-ready:
		if p.address = address; address != "" {
			s.api = address
		}
	case <-p.ended:
		s.t.Fatalf("%s did not start", name)
	case <-time.After(patience):
		s.t.Fatalf("%s was not ready in time", name)
	}
	return p
}

// end sends the process a signal and waits for its end.
func (p *process) end(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.s.t.Errorf("%s did not end after %s", p.name, signal)
	}
}

// tell sends the process a signal.
func (p *process) tell(signal syscall.Signal) {
	p.s.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.s.t.Fatal(err)
	}
}

type logWriter struct {
	*site
	name string
}

// Write implements io.Writer.
func (w logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range bytes.Lines(p) {
		fmt.Fprintf(&w.log, "%s: %s", w.name, line)
	}
	return len(p), nil
}

// logged reports whether a process has logged a text.
func (s *site) logged(name, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.log.String()) {
		if strings.HasPrefix(line, name+": ") && strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// hold stops each transfer from the cloud until the fault is cleared.
func (s *site) hold() {
	s.t.Helper()
	if _, err := s.cloud.Faults().Add(fabric.Fault{Method: "GET", Path: ofBytes, Answer: fabric.AnswerHang}); err != nil {
		s.t.Fatal(err)
	}
}

// held is how often a transfer was stopped.
func (s *site) held() int {
	n := 0
	for _, f := range s.cloud.Faults().List() {
		n += f.Acted
	}
	return n
}

// await asks again and again until done is true.
func (s *site) await(what string, done func() bool) {
	s.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end.C:
			s.t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// tenant is a user of the cloud who speaks to the service.
type tenant struct {
	*site
	project, token string
}

func (s *site) tenant() *tenant {
	s.t.Helper()
	return s.tenantOf("demo")
}

// tenantOf logs a user in.
func (s *site) tenantOf(name string) *tenant {
	s.t.Helper()
	u, _ := s.cloud.User(name)
	a := s.cloud.Do(s.t, "", "POST", "/v3/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"id": u.ID, "password": u.Password}}},
		"scope": map[string]any{"project": map[string]any{"id": u.ProjectID}},
	}})
	return &tenant{site: s, project: u.ProjectID, token: a.Header.Get("X-Subject-Token")}
}

// ask sends a request below the tenant's project, and gives what is in the envelope.
func (u *tenant) ask(method, path string, body any, envelope string) map[string]any {
	u.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		u.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.api+"/v1/"+u.project+path, bytes.NewReader(text))
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", u.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("OpenStack-API-Version", "data-protect 1.4")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		u.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, answer, err)
	}
	var out map[string]map[string]any
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			u.t.Fatal(err)
		}
	}
	return out[envelope]
}

// image makes an image and gives its id.
func (u *tenant) image() string {
	u.t.Helper()
	var made struct{ ID string }
	a := u.cloud.Do(u.t, u.token, "POST", "/image/v2/images", map[string]any{"name": "disk", "disk_format": "raw", "container_format": "bare"})
	if err := json.Unmarshal(a.Body, &made); err != nil {
		u.t.Fatal(err)
	}
	put := u.cloud.Do(u.t, u.token, "PUT", "/image/v2/images/"+made.ID+"/file", bytes.Repeat([]byte(made.ID), 50_000), "Content-Type", "application/octet-stream")
	if put.Status/100 != 2 {
		u.t.Fatalf("uploading: %d %s", put.Status, put.Body)
	}
	return made.ID
}

// plan makes a plan of one new image.
func (u *tenant) plan() string {
	u.t.Helper()
	return u.planOf(u.image())
}

// planOf makes a plan of images.
func (u *tenant) planOf(images ...string) string {
	u.t.Helper()
	return u.planIn(imageProvider, images...)
}

func (u *tenant) protect(plan string) string {
	u.t.Helper()
	return u.protectIn(imageProvider, plan)
}

func (u *tenant) status(checkpoint string) string {
	u.t.Helper()
	return u.ask("GET", "/providers/"+imageProvider+"/checkpoints/"+checkpoint, nil, "checkpoint")["status"].(string)
}

// available waits until a checkpoint is.
func (u *tenant) available(checkpoint string) {
	u.t.Helper()
	u.availableIn(imageProvider, checkpoint)
}
