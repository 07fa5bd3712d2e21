package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"
)

// fileState is what is known of a policy file from looking at it without reading.
type fileState struct {
	path string
	info fs.FileInfo
}

// same reports whether a file looks as it did. A file that was put in the place of
// another one is another file, also with the same time and size.
func (s fileState) same(other fileState) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return s.path == other.path && os.SameFile(s.info, other.info) &&
		s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size()
}

// stat looks for the policy file; there may be none.
func (o Options) stat() (fileState, error) {
	for _, path := range o.Files {
		info, err := os.Stat(path)
		if err == nil {
			return fileState{path, info}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fileState{path: path}, fmt.Errorf("policy file %s: %w", path, err)
		}
	}
	return fileState{}, nil
}

// Run reads the policy file again whenever it changes, until ctx ends. A file that is
// wrong, or is gone, leaves the rules as they are, and is told to the log once.
func (e *Enforcer) Run(ctx context.Context) error {
	if len(e.options.Files) == 0 {
		return nil
	}
	ticker := time.NewTicker(e.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			e.look(ctx)
		}
	}
}

// look reads the file if it is not what it was.
func (e *Enforcer) look(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, err := e.options.stat()
	if now.same(e.seen) {
		return
	}
	if err == nil && now.info == nil {
		e.seen = now
		e.options.Logger.ErrorContext(ctx, "policy file is gone; its rules hold until SIGHUP or a restart",
			slog.Any("files", e.options.Files))
		return
	}
	e.reload(ctx, true)
}

// Reload reads the policy file again, changed or not: SIGHUP calls it. Where the file
// is gone, and need not be there, the defaults hold again. A file that is wrong leaves
// the rules as they are, and is told to the log.
func (e *Enforcer) Reload(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reload(ctx, e.options.Required)
}

// reload is for both; e.mu is held.
func (e *Enforcer) reload(ctx context.Context, required bool) {
	if err := e.load(required); err != nil {
		e.options.Logger.ErrorContext(ctx, "policy file is refused; the rules of before hold", slog.String("error", err.Error()))
		return
	}
	e.options.Logger.InfoContext(ctx, "policy is read again", slog.String("file", e.seen.path))
}

// load reads the file, and puts its rules in place. e.mu is held.
func (e *Enforcer) load(required bool) error {
	state, err := e.options.stat()
	e.seen = state
	if err != nil {
		return err
	}
	if state.info == nil {
		if required {
			return fmt.Errorf("there is no policy file %s", strings.Join(e.options.Files, " nor "))
		}
		s, err := compile(nil, e.options.EnforceNewDefaults)
		e.set.Store(s)
		return err
	}
	text, err := readFile(state.path)
	if err != nil {
		return err
	}
	entries, s, err := read(state.path, text, e.options.EnforceNewDefaults)
	if err != nil {
		return err
	}
	for _, f := range review(s, entries) {
		if f.Error {
			e.options.Logger.Warn("policy file has a doubtful rule", slog.String("file", state.path),
				slog.Int("line", f.Line), slog.String("rule", f.Rule), slog.String("reason", f.Text))
		}
	}
	e.set.Store(s)
	return nil
}

// read makes a set of a file's text. The error names the file and the lines.
func read(path string, text []byte, newDefaults bool) ([]*entry, *set, error) {
	entries, err := parseFile(text)
	if err != nil {
		return nil, nil, inFile(path, err)
	}
	s, err := compile(entries, newDefaults)
	if err != nil {
		return nil, nil, inFile(path, err)
	}
	return entries, s, nil
}

// inFile puts the file's name before each fault: path:line: reason.
func inFile(path string, err error) error {
	var out []string
	for _, fault := range flatten(err) {
		if at, ok := errors.AsType[*lineError](fault); ok {
			out = append(out, fmt.Sprintf("%s:%d: %s", path, at.line, at.text))
		} else {
			out = append(out, fmt.Sprintf("%s: %s", path, fault))
		}
	}
	return errors.New("policy file " + strings.Join(out, "\n"))
}

func flatten(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, one := range many.Unwrap() {
			out = append(out, flatten(one)...)
		}
		return out
	}
	return []error{err}
}

// readFile reads a file that is not too large.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the policy file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	err = errors.Join(err, f.Close())
	if err != nil {
		return nil, fmt.Errorf("reading the policy file %s: %w", path, err)
	}
	return text, nil
}
