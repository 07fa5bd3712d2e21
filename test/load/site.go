package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// site is a running karbord with a tenant's project.
type site struct {
	cmd        *exec.Cmd
	folder     string
	log        *os.File
	client     *http.Client
	processors string
	// host is the API's, for requests over connections of our own.
	host           string
	api, cloud     string
	token, project string
	// plans are the ids of those that are there from the start.
	plans []string
}

// seeded is how many plans there are from the start: a page of 100 is full.
const seeded = 200

// open starts karbord, and fills the project of tenant demo.
func open(ctx context.Context, s settings) (_ *site, err error) {
	k := &site{client: &http.Client{Timeout: 30 * time.Second}}
	if k.folder, err = os.MkdirTemp(s.folder, "karbor-load-"); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	if err := k.start(ctx, s); err != nil {
		return nil, err
	}
	admin, _, err := k.login(ctx, "admin")
	if err != nil {
		return nil, err
	}
	if k.token, k.project, err = k.login(ctx, "demo"); err != nil {
		return nil, err
	}
	own, _, err := k.projectOf(ctx, admin)
	if err != nil {
		return nil, err
	}
	quota := `{"quota":{"plans":-1}}`
	if err := k.ask(ctx, "PUT", "/v1/"+own+"/quotas/"+k.project, admin, quota, nil); err != nil {
		return nil, err
	}
	for range seeded {
		var made struct{ Plan struct{ ID string } }
		if err := k.ask(ctx, "POST", "/v1/"+k.project+"/plans", k.token, planBody, &made); err != nil {
			return nil, err
		}
		k.plans = append(k.plans, made.Plan.ID)
	}
	return k, nil
}

// start runs karbord and waits for its ready line.
func (k *site) start(ctx context.Context, s settings) (err error) {
	if k.log, err = os.Create(filepath.Join(k.folder, "log")); err != nil {
		return fmt.Errorf("making the log: %w", err)
	}
	cmd := exec.Command(s.karbord, "dev", "--state", filepath.Join(k.folder, "state"),
		"--listen", "127.0.0.1:0", "--cloud-listen", "127.0.0.1:0")
	// An interrupt is for us: we stop it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = k.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	begin := startApart
	if s.shared {
		begin = func(c *exec.Cmd) (string, error) { return "the service and the load share the processors", c.Start() }
	}
	if k.processors, err = begin(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", s.karbord, err)
	}
	k.cmd = cmd
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	stop()
	if err != nil {
		return fmt.Errorf("waiting for the ready line of %s, whose log is %s: %w", s.karbord, k.log.Name(), err)
	}
	for field := range strings.FieldsSeq(line) {
		if v, ok := strings.CutPrefix(field, "api="); ok {
			k.api = v
		}
		if v, ok := strings.CutPrefix(field, "cloud="); ok {
			k.cloud = v
		}
	}
	u, err := url.Parse(k.api)
	if err != nil {
		return fmt.Errorf("reading the ready line %q: %w", line, err)
	}
	k.host = u.Host
	return nil
}

// close stops karbord and removes its folder.
func (k *site) close() error {
	var errs []error
	if k.cmd != nil {
		errs = append(errs, k.cmd.Process.Signal(syscall.SIGTERM))
		if err := k.cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("karbord did not end well: %w", err))
		}
	}
	if k.log != nil {
		errs = append(errs, k.log.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(k.folder))...)
}

// login gets a token of one of the tenants, with its project's id.
func (k *site) login(ctx context.Context, tenant string) (token, project string, err error) {
	rc, err := os.ReadFile(filepath.Join(k.folder, "state", "openrc-"+tenant))
	if err != nil {
		return "", "", err
	}
	env := map[string]string{}
	for line := range strings.Lines(string(rc)) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	body := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"id":"default"},"password":%q}}},
		"scope":{"project":{"name":%q,"domain":{"id":"default"}}}}}`, env["OS_USERNAME"], env["OS_PASSWORD"], env["OS_PROJECT_NAME"])
	return k.tokens(ctx, "POST", body, nil)
}

// projectOf gives the project of a token.
func (k *site) projectOf(ctx context.Context, token string) (project, same string, err error) {
	same, project, err = k.tokens(ctx, "GET", "", map[string]string{"X-Auth-Token": token, "X-Subject-Token": token})
	return project, same, err
}

func (k *site) tokens(ctx context.Context, method, body string, headers map[string]string) (token, project string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, k.cloud+"/auth/tokens", strings.NewReader(body))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return "", "", fmt.Errorf("asking for a token: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token struct{ Project struct{ ID string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode/100 != 2 {
		return "", "", fmt.Errorf("asking for a token: %s %w", resp.Status, err)
	}
	return resp.Header.Get("X-Subject-Token"), answer.Token.Project.ID, nil
}

// ask makes a request of the API and decodes the answer.
func (k *site) ask(ctx context.Context, method, path, token, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, k.api+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Auth-Token", token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s %w", method, path, resp.Status, bytes.TrimSpace(text), err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// resident gives the service's resident memory in bytes.
func (k *site) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", k.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("there is no VmRSS")
}
