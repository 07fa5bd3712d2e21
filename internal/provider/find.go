package provider

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Find opens the one provider of a folder that has a name or an id, and touches no
// other's bank. With which "" it is the only one that there is. "provider/target" stands for
// the provider with the bank of a copy target in place of its own. One that is not there is
// karbor.NotFound. The caller closes it.
func Find(ctx context.Context, dir, which string, sets Sets, o Options) (*Provider, error) {
	whole := which
	which, target, _ := strings.Cut(whole, "/")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the folder of providers: %w", err)
	}
	var names, paths []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("provider file %s: %w", path, err)
		}
		var head struct {
			ID   string `yaml:"id"`
			Name string `yaml:"name"`
		}
		// What is wrong with a file is told by open, if it is the one that is asked for.
		_ = yaml.Unmarshal(text, &head)
		if head.Name == whole {
			which, target = whole, ""
		}
		if which == "" || head.Name == which || strings.EqualFold(head.ID, which) {
			paths = append(paths, path)
		}
		names = append(names, head.Name)
	}
	switch {
	case len(paths) == 0:
		return nil, karbor.Errorf(karbor.NotFound, "there is no provider %q in %s; there are: %s", which, dir, strings.Join(names, ", "))
	case len(paths) > 1:
		return nil, karbor.Errorf(karbor.Invalid, "%s has several providers that may be meant: %s", dir, strings.Join(names, ", "))
	}
	p, err := open(ctx, paths[0], sets, o)
	if err != nil {
		return nil, fmt.Errorf("provider file %s: %w", paths[0], err)
	}
	return p.only(target)
}

// Bank gives the provider's bank, which stays the provider's.
func (v *vault) Bank() bank.Bank { return v.bank }
