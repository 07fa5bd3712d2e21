//go:build compat

package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fault is one of the client itself, which no server can cure. The list is closed:
// a script can't call something else the client's fault.
type fault struct {
	// command is the command of the client, and what is what it can't do.
	command, what string
	// says is what the client says; it exits with code.
	says string
	code int
}

var faults = map[string]fault{
	"create-text": {"openstack data protection trigger create", "always fails: it takes its properties for a dictionary",
		`'str' object has no attribute 'get'`, 1},
	"update-name": {"openstack data protection trigger update", "--name alone fails: it wants --properties",
		`'properties'`, 1},
	"list-columns": {"karbor scheduledoperation-list", "shows only Id and Name: it looks for members that never were",
		`(?m)^\| Id +\| Name +\|$`, 0},
}

// result is what one run of a command gave.
type result struct {
	command string
	// code is the exit code that was expected.
	code   int
	fault  string
	failed bool
}

// results are those of all runs.
type results struct {
	// commands are the commands of both shells.
	commands []string
	runs     []result
}

// name gives the command that a program's arguments call, or "" for one that is
// not of Karbor.
func (r *results) name(program string, args []string) string {
	line, best := program+" "+strings.Join(args, " ")+" ", ""
	for _, c := range r.commands {
		if strings.HasPrefix(line, c+" ") && len(c) > len(best) {
			best = c
		}
	}
	return best
}

// failLast notes that the last run is not what was expected.
func (r *results) failLast() {
	if len(r.runs) > 0 {
		r.runs[len(r.runs)-1].failed = true
	}
}

// verdict gives a command's line of the table, and whether it is good.
func (r *results) verdict(name string) (string, bool) {
	good, bad, failed := 0, 0, 0
	var own []string
	for _, run := range r.runs {
		switch {
		case run.command != name:
		case run.failed:
			failed++
		case run.fault != "":
			if what := faults[run.fault].what; !slices.Contains(own, what) {
				own = append(own, what)
			}
			if run.code == 0 {
				good++
			}
		case run.code == 0:
			good++
		default:
			bad++
		}
	}
	says, ok := "pass", true
	switch {
	case failed > 0:
		says, ok = "FAIL", false
	case good == 0 && len(own) == 0:
		says, ok = "NO CASE THAT WORKS", false
	case good > 0 && bad == 0:
		says, ok = "NO CASE THAT IS REFUSED", false
	case good == 0:
		says = "client's own fault: " + strings.Join(own, "; ")
	case len(own) > 0:
		says = "pass; client's own fault: " + strings.Join(own, "; ")
	}
	return fmt.Sprintf("%-55s %3d %3d   %s", name, good, bad, says), ok
}

// table gives the table.
func (r *results) table() string {
	lines := []string{"", fmt.Sprintf("%-55s %3s %3s   %s", "command of the client", "ok", "bad", "result")}
	for _, name := range r.commands {
		line, _ := r.verdict(name)
		lines = append(lines, line)
	}
	return strings.Join(append(lines, fmt.Sprintf("%d commands, %d runs\n", len(r.commands), len(r.runs))), "\n")
}

// check fails the test for each command without its cases, and for each fault of
// the client that did not show.
func (r *results) check(t *testing.T) {
	for _, name := range r.commands {
		if line, ok := r.verdict(name); !ok {
			t.Errorf("%s", line)
		}
	}
	for key, f := range faults {
		if !slices.ContainsFunc(r.runs, func(run result) bool { return run.fault == key }) {
			t.Errorf("no script shows the client's fault %q of %q: is it mended?", key, f.command)
		}
	}
}

// crash is what a Python program says that did not understand an answer, or a
// message whose placeholders nobody has filled in.
var crash = regexp.MustCompile(`Traceback|%\(|object has no attribute|NoneType|KeyError|can't be decoded|^'\w+'$`)
