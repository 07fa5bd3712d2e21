//go:build temporal

package scaleout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/plugin"
)

// The gates of a gated bank: what they stop.
const (
	writeGate  = "write"  // writing a pack
	readGate   = "read"   // reading a pack
	deleteGate = "delete" // removing anything of a checkpoint
)

// gatedBank is the file bank with gates. A gate is a file beside the bank's folder, so that it stops
// all processes: as long as it is there, nothing passes.
var gatedBank = plugin.Define("gated-file-bank", "Keeps checkpoints in a folder, behind gates.",
	func() filebank.Options { return filebank.Options{} },
	func(ctx context.Context, o filebank.Options) (bank.Bank, error) {
		b, err := filebank.Open(ctx, o)
		if err != nil {
			return nil, err
		}
		g := gates(o.Path + ".gates")
		return gated{b, g}, os.MkdirAll(string(g), 0o700)
	})

// gates is the folder of a bank's gates.
type gates string

// gated is a bank behind gates.
type gated struct {
	bank.Bank
	gates gates
}

func isPack(key string) bool { return strings.Contains(key, "/packs/") }

// Put implements bank.Bank.
func (g gated) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return g.write(ctx, key, size, func() error { return g.Bank.Put(ctx, key, body, size) })
}

// Create implements bank.Bank.
func (g gated) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return g.write(ctx, key, size, func() error { return g.Bank.Create(ctx, key, body, size) })
}

func (g gated) write(ctx context.Context, key string, size int64, write func() error) error {
	if !isPack(key) {
		return write()
	}
	if err := g.gates.pass(ctx, writeGate); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return g.gates.note("stored", strconv.FormatInt(size, 10))
}

// Get implements bank.Bank.
func (g gated) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if isPack(key) {
		if err := g.gates.pass(ctx, readGate); err != nil {
			return nil, err
		}
	}
	return g.Bank.Get(ctx, key, offset, length)
}

// Delete implements bank.Bank.
func (g gated) Delete(ctx context.Context, key string) error {
	if strings.HasPrefix(key, "v1/checkpoints/") {
		if err := g.gates.pass(ctx, deleteGate); err != nil {
			return err
		}
	}
	return g.Bank.Delete(ctx, key)
}

// pass waits until a gate is open. It notes whom it stops, and who has given up.
func (g gates) pass(ctx context.Context, name string) error {
	for stopped := false; ; stopped = true {
		text, err := os.ReadFile(filepath.Join(string(g), name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if after, _ := strconv.ParseInt(string(text), 10, 64); g.stored() < after {
			return nil
		}
		if !stopped {
			if err := g.note(name+".stopped", strconv.Itoa(os.Getpid())); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), g.note(name+".left", strconv.Itoa(os.Getpid())))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// note adds a line to a list.
func (g gates) note(list, line string) error {
	f, err := os.OpenFile(filepath.Join(string(g), list), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// noted gives the lines of a list.
func (g gates) noted(list string) []string {
	text, err := os.ReadFile(filepath.Join(string(g), list))
	if err != nil {
		return nil // nothing was noted yet
	}
	return strings.Fields(string(text))
}

// stored is how many bytes of packs were stored.
func (g gates) stored() int64 {
	var sum int64
	for _, line := range g.noted("stored") {
		n, _ := strconv.ParseInt(line, 10, 64)
		sum += n
	}
	return sum
}

// shut shuts a gate, once so many bytes of packs were stored.
func (g gates) shut(s *site, name string, after int64) {
	s.t.Helper()
	if err := os.MkdirAll(string(g), 0o700); err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(string(g), name)
	// It is there whole, or not at all.
	if err := os.WriteFile(path+".new", fmt.Append(nil, after), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// open opens a gate.
func (g gates) open(s *site, name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(string(g), name)); err != nil {
		s.t.Fatal(err)
	}
}
