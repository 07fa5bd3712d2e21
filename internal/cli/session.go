package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor/client"
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

// connect logs in, once in a run.
func (a *app) connect(ctx context.Context) (*client.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	credentials := a.global.credentials.Or(keystone.FromEnvironment(a.Env))
	credentials.Insecure = credentials.Insecure || a.global.insecure
	cloud := a.global.cloud
	if cloud == "" {
		cloud = a.Env("OS_CLOUD")
	}
	if cloud != "" {
		named, err := keystone.FromClouds(cloud, a.Env)
		if err != nil {
			return nil, err
		}
		credentials = credentials.Or(named)
	}
	transport, err := a.HTTP(Trust{CACert: credentials.CACert, Insecure: credentials.Insecure})
	if err != nil {
		return nil, err
	}
	login, cancel := context.WithTimeout(ctx, a.global.request)
	defer cancel()
	session, err := keystone.Login(login, credentials, transport)
	if err != nil {
		return nil, err
	}
	a.session = session
	if a.project, err = session.ProjectID(); err != nil {
		return nil, err
	}
	endpoint, err := session.Endpoint()
	if err != nil {
		return nil, err
	}
	a.client, err = client.New(client.Options{Endpoint: endpoint, Tokens: session, HTTP: transport,
		Timeout: a.global.request, Pause: a.Pause, UserAgent: "karbor/" + a.Version})
	return a.client, err
}

// collect gathers what a list gives.
func collect[T any](items iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}
