//go:build compat

package compat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python is Debian's interpreter: the one that sees Debian's packages.
const python = "/usr/bin/python3"

// packages are what the suite needs of Debian, by what shows that it is there.
var packages = []struct{ name, module string }{
	{"python3-openstackclient", "openstackclient.shell"},
	{"python3-karborclient", "karborclient.shell"},
}

// needClients ends the test if a client is not installed.
func needClients(t *testing.T) {
	t.Helper()
	for _, p := range packages {
		out, err := exec.CommandContext(t.Context(), python, "-c", "import "+p.module).CombinedOutput()
		if err != nil {
			t.Fatalf("the Debian package %s is not installed (apt-get install %s): %v\n%s", p.name, p.name, err, out)
		}
	}
	for _, program := range []string{"openstack", "karbor"} {
		text, err := os.ReadFile("/usr/bin/" + program)
		if err != nil || !bytes.HasPrefix(text, []byte("#!")) || !bytes.Contains(text, []byte("import main")) {
			t.Fatalf("/usr/bin/%s is not the one of the Debian package (%v): is our own installed there?", program, err)
		}
	}
}

// command is one that a client is to run.
type command struct {
	Program string   `json:"program"`
	Args    []string `json:"args"`
	// Env is its whole environment.
	Env map[string]string `json:"env"`
	Dir string            `json:"dir"`
}

// outcome is what became of a command.
type outcome struct {
	Code int    `json:"code"`
	Out  string `json:"out"`
	Err  string `json:"err"`
}

// driver is the one process that runs most commands.
type driver struct {
	in  io.Writer
	out *bufio.Reader
}

func startDriver(t *testing.T, home string) *driver {
	t.Helper()
	cmd := exec.Command(python, filepath.Join("testdata", "driver.py"))
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + home}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the driver ended with %v\n%s", err, complaint.String())
		}
	})
	return &driver{in: in, out: bufio.NewReader(out)}
}

// run runs a command and waits for it.
func (d *driver) run(c command) (outcome, error) {
	line, err := json.Marshal(c)
	if err != nil {
		return outcome{}, err
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		return outcome{}, err
	}
	line, err = d.out.ReadBytes('\n')
	if err != nil {
		return outcome{}, err
	}
	var o outcome
	return o, json.Unmarshal(line, &o)
}

// fresh runs a command as a user's shell would: a new process of the installed
// program.
func fresh(t *testing.T, c command) (outcome, error) {
	cmd := exec.CommandContext(t.Context(), "/usr/bin/"+c.Program, c.Args...)
	cmd.Dir, cmd.Env = c.Dir, []string{}
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return outcome{}, err
	}
	return outcome{Code: cmd.ProcessState.ExitCode(), Out: out.String(), Err: complaint.String()}, nil
}

// commands gives the names of all commands of both shells, as the installed
// packages have them: "openstack data protection plan list", "karbor plan-list".
func (d *driver) commands(t *testing.T) []string {
	t.Helper()
	plugin, err := d.run(command{Program: "commands"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range strings.Lines(plugin.Out) {
		names = append(names, "openstack "+strings.TrimSpace(name))
	}
	help, err := d.run(command{Program: "karbor", Args: []string{"help"}, Env: map[string]string{"COLUMNS": "200"}, Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(help.Out) {
		// The commands stand in the list at the margin of four, their options deeper.
		rest, ok := strings.CutPrefix(line, "    ")
		if name, _, _ := strings.Cut(rest, " "); ok && name != "" && !strings.HasPrefix(name, "<") {
			names = append(names, "karbor "+strings.TrimSpace(name))
		}
	}
	if len(names) < 80 {
		t.Fatalf("the packages have only %d commands: %q", len(names), names)
	}
	return names
}
