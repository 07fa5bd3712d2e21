// Package file is a bank in a folder of a file system. docs/format/file-bank.md
// specifies which file holds which key.
package file

import (
	"context"
	"path/filepath"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/plugin"
)

// Options of the bank in a provider file.
type Options struct {
	// Path is the folder, absolute. It is made, for the owner only, if it does
	// not exist. It must be on a file system with hard links, and all of it on
	// the same one.
	Path string `yaml:"path"`
}

// Validate reports what is wrong with the options.
func (o *Options) Validate() error {
	if !filepath.IsAbs(o.Path) || filepath.Clean(o.Path) == "/" {
		return karbor.Errorf(karbor.Invalid, "path: %q is not the absolute path of a folder", o.Path)
	}
	return nil
}

// Plugin is the bank karbor-file-bank.
var Plugin = plugin.Define("karbor-file-bank", "Keeps checkpoints in a folder of a file system.",
	func() Options { return Options{} },
	func(ctx context.Context, o Options) (bank.Bank, error) { return Open(ctx, o) })
