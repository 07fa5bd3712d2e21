//go:build compat

package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long "until" waits for an operation.
const patience = time.Minute

// inOrder runs the scripts one after another: they share a cloud.
type inOrder struct {
	*testing.T
	results *results
}

func (inOrder) Parallel()     {}
func (inOrder) Verbose() bool { return testing.Verbose() }

func (t inOrder) Run(name string, f func(testscript.T)) {
	if !t.T.Run(name, func(s *testing.T) { f(inOrder{s, t.results}) }) {
		t.results.failLast()
	}
}

// suite is what the commands of the scripts work on.
type suite struct {
	*site
	t       *testing.T
	results *results
}

// TestClients drives every command of both shells, and the library under them.
//
// The scripts' own commands are:
//
//	as USER                     the user of what follows: demo, other or admin
//	openstack CODE ARGS...      the command of the OpenStack client exits with CODE
//	karbor CODE ARGS...         the same for the older shell
//	fresh PROGRAM CODE ARGS...  the same in a process of its own
//	until PATTERN PROGRAM ARGS...  the command is repeated until what it writes matches
//	fault NAME PROGRAM ARGS...  the command fails of itself, as table_test.go says
//	save NAME MEMBER            keeps a member of what was shown as a variable
//	savetext NAME               keeps all that was shown, one word
func TestClients(t *testing.T) {
	site := openSite(t)
	s := &suite{site: site, t: t, results: &results{commands: site.driver.commands(t)}}
	t.Run("library", s.library)
	t.Run("interactive", s.interactive)
	testscript.RunT(inOrder{t, s.results}, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			for name, value := range s.vars {
				e.Setenv(name, value)
			}
			for name, value := range s.users["demo"] {
				e.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"as": s.as, "openstack": s.openstack, "karbor": s.karbor, "fresh": s.fresh, "until": s.until, "fault": s.fault, "save": save, "savetext": savetext,
		},
	})
	fmt.Println(s.results.table())
	s.results.check(t)
}

// usage ends a script that calls a command wrongly.
func usage(ts *testscript.TestScript, wrong bool, text string) {
	if wrong {
		ts.Fatalf("usage: %s", text)
	}
}

func (s *suite) as(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 1 || s.users[args[0]] == nil, "as USER")
	for name, value := range s.users[args[0]] {
		ts.Setenv(name, value)
	}
}

func (s *suite) openstack(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2, "openstack CODE ARGS...")
	s.expect(ts, s.driver.run, "openstack", args)
}

func (s *suite) karbor(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2, "karbor CODE ARGS...")
	s.expect(ts, s.driver.run, "karbor", args)
}

func (s *suite) fresh(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 3, "fresh PROGRAM CODE ARGS...")
	s.expect(ts, func(c command) (outcome, error) { return fresh(s.t, c) }, args[0], args[1:])
}

// expect runs a command that must exit with the code in args[0], without a crash.
func (s *suite) expect(ts *testscript.TestScript, run func(command) (outcome, error), program string, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	s.results.runs = append(s.results.runs, result{command: s.results.name(program, args[1:]), code: code})
	o := s.run(ts, run, program, args[1:])
	if o.Code != code {
		ts.Fatalf("exit code %d, not %d", o.Code, code)
	}
	if found := crash.FindString(o.Out + o.Err); found != "" {
		ts.Fatalf("the client did not understand the answer: %s", found)
	}
}

// command gives a command in the script's environment.
func (s *suite) command(ts *testscript.TestScript, program string, args []string) command {
	c := command{Program: program, Args: args, Env: map[string]string{}, Dir: ts.MkAbs(".")}
	for name := range s.users["demo"] {
		c.Env[name] = ts.Getenv(name)
	}
	return c
}

// run runs a command in the script's environment.
func (s *suite) run(ts *testscript.TestScript, run func(command) (outcome, error), program string, args []string) outcome {
	o, err := run(s.command(ts, program, args))
	ts.Check(err)
	show(ts, o)
	return o
}

// show makes what a command wrote the script's stdout and stderr.
func show(ts *testscript.TestScript, o outcome) {
	_, err := ts.Stdout().Write([]byte(o.Out))
	ts.Check(err)
	_, err = ts.Stderr().Write([]byte(o.Err))
	ts.Check(err)
}

func (s *suite) until(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 3, "until PATTERN PROGRAM ARGS...")
	pattern, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	c := s.command(ts, args[1], args[2:])
	var o outcome
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		o, err = s.driver.run(c)
		ts.Check(err)
		if pattern.MatchString(o.Out + o.Err) {
			s.results.runs = append(s.results.runs, result{command: s.results.name(args[1], args[2:]), code: o.Code})
			show(ts, o)
			return
		}
	}
	ts.Fatalf("after %s still no %q, but exit code %d\n%s%s", patience, args[0], o.Code, o.Out, o.Err)
}

func (s *suite) fault(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 3, "fault NAME PROGRAM ARGS...")
	f, ok := faults[args[0]]
	name := s.results.name(args[1], args[2:])
	if !ok || f.command != name {
		ts.Fatalf("%q is none of the known faults of %q", args[0], name)
	}
	s.results.runs = append(s.results.runs, result{command: name, code: f.code, fault: args[0]})
	o := s.run(ts, s.driver.run, args[1], args[2:])
	if o.Code != f.code || !regexp.MustCompile(f.says).MatchString(o.Out+o.Err) {
		ts.Fatalf("exit code %d; the known fault is %q with %d", o.Code, f.says, f.code)
	}
}

// save keeps a member of the object that the last command showed: as JSON, or as
// a table of two columns.
func save(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "save NAME MEMBER")
	out := ts.ReadFile("stdout")
	var members map[string]any
	if json.Unmarshal([]byte(out), &members) == nil {
		if text, ok := members[args[1]].(string); ok {
			ts.Setenv(args[0], text)
			return
		}
	}
	for line := range strings.Lines(out) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && strings.TrimSpace(cells[1]) == args[1] {
			ts.Setenv(args[0], strings.TrimSpace(cells[2]))
			return
		}
	}
	ts.Fatalf("the output has no member %s", args[1])
}

func savetext(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 1, "savetext NAME")
	words := strings.Fields(ts.ReadFile("stdout"))
	if len(words) != 1 {
		ts.Fatalf("the output is not one word: %q", words)
	}
	ts.Setenv(args[0], words[0])
}

// interactive gives several commands to one process of the client, as a user at
// its prompt does.
func (s *suite) interactive(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/usr/bin/openstack")
	for name, value := range s.users["demo"] {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin = strings.NewReader("data protection provider list\ndata protection plan show nosuch\ndata protection protectable list\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"Keeps all the bytes of an application in a bank.", "No plan with a name or ID of 'nosuch' exists", "OS::Nova::Server"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}

// library runs the checks of the Python library, each as a test.
func (s *suite) library(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), python, "testdata/library.py")
	env := maps.Clone(s.users["demo"])
	for name, value := range s.vars {
		env["COMPAT_"+strings.ToUpper(name)] = value
	}
	env["COMPAT_OTHER_PASSWORD"] = s.users["other"]["OS_PASSWORD"]
	env["COMPAT_ADMIN_PASSWORD"] = s.users["admin"]["OS_PASSWORD"]
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for lines := bufio.NewScanner(out); lines.Scan(); ran++ {
		var check struct{ Name, Error string }
		if err := json.Unmarshal(lines.Bytes(), &check); err != nil {
			t.Fatalf("%v: %q", err, lines.Text())
		}
		t.Run(check.Name, func(t *testing.T) {
			if check.Error != "" {
				t.Error(check.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil || ran == 0 {
		t.Errorf("the checks of the library ended after %d with %v", ran, err)
	}
}
