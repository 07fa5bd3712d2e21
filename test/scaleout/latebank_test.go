//go:build temporal

package scaleout

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/plugin"
)

// lateParts are what the writes of a late bank can be held of: bytes, the documents of a resource, and the
// states of checkpoints. Each is the name of a gate, too.
var lateParts = []string{"packs", "nodes", "states"}

// lateBank is the file bank with writes that are on their way for long: who asked for one can't call it back.
var lateBank = plugin.Define("late-file-bank", "Keeps checkpoints in a folder, and may be late.",
	func() filebank.Options { return filebank.Options{} },
	func(ctx context.Context, o filebank.Options) (bank.Bank, error) {
		b, err := filebank.Open(ctx, o)
		return late{b, gates(o.Path + ".late")}, err
	})

// late is a bank whose writes are late as long as gates are shut.
type late struct {
	bank.Bank
	gates gates
}

// Put implements bank.Bank.
func (l late) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	return l.write(ctx, key, func(ctx context.Context) error { return l.Bank.Put(ctx, key, body, size) })
}

// Create implements bank.Bank.
func (l late) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return l.write(ctx, key, func(ctx context.Context) error { return l.Bank.Create(ctx, key, body, size) })
}

func (l late) write(ctx context.Context, key string, write func(context.Context) error) error {
	for _, part := range lateParts {
		if !strings.Contains(key, "/"+part+"/") || !l.gates.isShut(part) {
			continue
		}
		ctx = context.WithoutCancel(ctx)
		if err := l.gates.pass(ctx, part); err != nil {
			return err
		}
		err := write(ctx)
		return errors.Join(err, l.gates.note(part+".arrived", key))
	}
	return write(ctx)
}

// isShut reports whether a gate is there.
func (g gates) isShut(name string) bool {
	_, err := os.Stat(filepath.Join(string(g), name))
	return err == nil
}
