package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Command runs the karbor program with one tenant's settings.
type Command struct {
	Program string
	Env     map[string]string
	// Log gets every command and what it printed.
	Log io.Writer
	// Progress gets what commands write to standard error while they run.
	Progress io.Writer
}

// environment gives the settings, and nothing of OpenStack's from around us.
func (c *Command) environment() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "OS_") {
			env = append(env, pair)
		}
	}
	for name, value := range c.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// Run runs a command and gives its standard output. With loud, its standard
// error goes to Progress while it runs.
func (c *Command) Run(ctx context.Context, loud bool, args ...string) ([]byte, error) {
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, c.Program, args...)
	cmd.Env = c.environment()
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if loud {
		// Handed over as it is, so that the command sees whether it is a terminal.
		cmd.Stderr = io.MultiWriter(&complaint, c.Progress)
		if f, ok := c.Progress.(*os.File); ok {
			cmd.Stderr = f
		}
	}
	err := cmd.Run()
	// The log is for a reader after a failure; it can't fail the demo.
	_, _ = fmt.Fprintf(c.Log, "$ karbor %s\n%s%s", strings.Join(args, " "), out.Bytes(), complaint.Bytes())
	if err != nil {
		return nil, fmt.Errorf("karbor %s: %w %s", strings.Join(args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// JSON runs a command with "-f json" and decodes what it prints.
func (c *Command) JSON(ctx context.Context, loud bool, into any, args ...string) error {
	out, err := c.Run(ctx, loud, append(args, "-f", "json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("reading what karbor %s printed: %w", strings.Join(args, " "), err)
	}
	return nil
}
