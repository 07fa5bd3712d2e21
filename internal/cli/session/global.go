package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client/keystone"
	"github.com/karbor/karbor/internal/cli/output"
)

// global are the flags that every command has.
type global struct {
	cloud       string
	credentials keystone.Credentials
	insecure    bool
	format      string
	columns     []string
	quiet       bool
	request     time.Duration
}

func (g *global) flags(f *pflag.FlagSet) {
	f.StringVar(&g.cloud, "os-cloud", "", "cloud of clouds.yaml (OS_CLOUD)")
	g.credentials.Flags(func(into *string, name, help string) {
		f.StringVar(into, name, "", help)
	})
	f.BoolVar(&g.insecure, "insecure", false, "do not check certificates (OS_INSECURE)")
	f.StringVarP(&g.format, "format", "f", "table", strings.Join(output.Formats(), ", "))
	f.StringArrayVarP(&g.columns, "column", "c", nil, "show only this column (repeatable)")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "no progress and no remarks")
	f.DurationVar(&g.request, "request-timeout", time.Minute, "how long one request may take")
}

func (g *global) check() error {
	if !slices.Contains(output.Formats(), g.format) {
		return fmt.Errorf("unknown format %q; there are: %s", g.format, strings.Join(output.Formats(), ", "))
	}
	return nil
}
