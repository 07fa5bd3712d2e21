package docs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds one command; it never decides what is right.
const patience = 2 * time.Minute

// site is the folder with the programs.
type site struct{ bin string }

// service is a running karbord dev.
type service struct{ state, api string }

// build builds both programs.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/",
		"github.com/karbor/karbor/cmd/karbord", "github.com/karbor/karbor/cmd/karbor")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	return dir
}

// start runs karbord dev with the example, and waits until it is ready.
func (s *site) start(t *testing.T) *service {
	t.Helper()
	d := &service{state: filepath.Join(t.TempDir(), "karbor-dev")}
	cmd := exec.Command(filepath.Join(s.bin, "karbord"), "dev", "--example", "--state", d.state,
		"--listen", "127.0.0.1:0", "--cloud-listen", "127.0.0.1:0")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			t.Errorf("ending karbord: %v\n%s", err, log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("waiting for the ready line: %v\n%s", err, log.String())
	}
	for field := range strings.FieldsSeq(line) {
		if v, ok := strings.CutPrefix(field, "api="); ok {
			d.api = v
		}
	}
	return d
}

// shell is one terminal: a folder, and the variables that are set in it. The service
// starts when a command is the first to need it.
type shell struct {
	site    *site
	dir     string
	service *service
}

func (s *site) open(t *testing.T) *shell {
	t.Helper()
	return &shell{site: s, dir: t.TempDir()}
}

// run runs one command in bash, and gives what it printed.
func (sh *shell) run(t *testing.T, command string) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const shown = "/tmp/karbor-dev"
	if sh.service == nil && strings.Contains(command, shown) {
		sh.service = sh.site.start(t)
	}
	if sh.service != nil {
		command = strings.ReplaceAll(command, shown, sh.service.state)
		command = strings.ReplaceAll(command, "http://127.0.0.1:8799", sh.service.api)
	}
	const memory = ".shell"
	script := fmt.Sprintf("set -a\n[ -f %[1]s ] && . ./%[1]s\n%[2]s\ncode=$?\nexport -p > %[1]s\nexit $code\n", memory, command)
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = sh.dir
	cmd.Env = []string{"PATH=" + sh.site.bin + ":" + os.Getenv("PATH"), "HOME=" + sh.dir, "LANG=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	text := strings.TrimRight(string(out), "\n")
	if text == "" {
		return nil, err
	}
	return strings.Split(text, "\n"), err
}
