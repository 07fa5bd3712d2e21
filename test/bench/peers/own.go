package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/checkpoint/extraction"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/protection"
)

// ownCommand makes this program a small backup program over Karbor's repository, so that
// its CPU time and memory can be measured like those of the others.
const ownCommand = "karbor"

const ownProject = "0123456789abcdef0123456789abcdef"

func ownTool() (*tool, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	version := "?"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.GoVersion
	}
	args := func(op string, p place, more ...string) []string {
		return append([]string{ownCommand, op, "-bank", p.repository(), "-cache", p.cache()}, more...)
	}
	return &tool{
		name: "karbor", version: "this tree, " + version, path: path,
		env:   func(place) []string { return nil },
		start: func(p place) [][]string { return [][]string{args("init", p)} },
		backup: func(p place, name string) []string {
			return args("backup", p, "-name", name, "-image", p.volume())
		},
		verify: func(p place) []string { return args("verify", p) },
		hinted: func(p place, name, before, extents string) []string {
			return args("backup", p, "-name", name, "-image", p.volume(), "-before", before, "-changed", extents)
		},
		restore: func(p place, name string) []string {
			return args("restore", p, "-name", name, "-image", filepath.Join(p.restored(), "disk.img"))
		},
	}, nil
}

// own is the small backup program.
func own(ctx context.Context, args []string) (err error) {
	if len(args) == 0 {
		return errors.New("no operation given")
	}
	flags := flag.NewFlagSet("karbor", flag.ContinueOnError)
	folder, cache := flags.String("bank", "", "folder of the bank"), flags.String("cache", "", "folder of the cache")
	name, image := flags.String("name", "", "of the stream"), flags.String("image", "", "file to read or write")
	before, changed := flags.String("before", "", "an earlier stream"), flags.String("changed", "", "file of the extents that have changed since")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	key := filepath.Join(*cache, "key")
	if args[0] == "init" {
		if err := keyring.WriteKeyFile(key); err != nil {
			return err
		}
	}
	b, err := file.Open(ctx, file.Options{Path: *folder})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	domains, err := repository.NewDomains(repository.Options{
		Bank: b, Keys: []*keyring.Source{keyring.KeyFile(key)}, Cache: filepath.Join(*cache, "index"), Now: time.Now,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, domains.Close(context.WithoutCancel(ctx))) }()
	section, err := ownSection(b, *name)
	if err != nil {
		return err
	}
	streams, err := repository.NewStreams(repository.StreamsOptions{Domains: domains, Project: ownProject, Section: section})
	if err != nil {
		return err
	}
	switch args[0] {
	case "init":
		_, err = domains.Seal(ctx, ownProject, "made", []byte("{}"))
	case "backup":
		h := &hints{changed: *changed}
		if h.previous, err = ownSection(b, *before); err == nil {
			err = backup(ctx, streams, *image, h)
		}
	case "restore":
		err = restore(ctx, streams, *image)
	case "verify":
		err = verify(ctx, domains)
	default:
		err = fmt.Errorf("the operation %q is not known", args[0])
	}
	return err
}

func ownSection(b bank.Bank, name string) (*bank.Section, error) {
	return bank.NewSection(b, "v1/checkpoints/"+ownProject+"/11111111-1111-4111-8111-111111111111/nodes/volume/v"+name+"/data")
}

// hints say in what the image differs from an earlier stream.
type hints struct {
	previous *bank.Section
	changed  string // a file, or "" for no hints
}

func backup(ctx context.Context, streams *repository.Streams, image string, h *hints) error {
	in, err := os.Open(image)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	w, err := streams.Create(ctx, "volume")
	if err != nil {
		return err
	}
	if h.changed == "" {
		_, err = io.Copy(w, in)
	} else {
		err = update(ctx, w, in, h)
	}
	if err != nil {
		return errors.Join(err, w.Abort(ctx))
	}
	_, err = w.Commit(ctx)
	return err
}

func update(ctx context.Context, w protection.Writer, in *os.File, h *hints) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(h.changed)
	if err != nil {
		return err
	}
	var changed []dedup.Extent
	for line := range strings.Lines(string(text)) {
		var e dedup.Extent
		if _, err := fmt.Sscan(line, &e.Offset, &e.Length); err != nil {
			return err
		}
		changed = append(changed, e)
	}
	updater, ok := w.(repository.Updater)
	if !ok {
		return errors.New("the writer takes no hints")
	}
	return updater.Update(ctx, in, info.Size(), h.previous, "volume", changed)
}

// restore is what karbord bank extract does, but for the digest that it tells: the others tell none.
func restore(ctx context.Context, streams *repository.Streams, image string) error {
	_, err := extraction.Extract(ctx, streams, "volume", extraction.Target{Path: image, NoDigest: true}, nil)
	return err
}

func verify(ctx context.Context, domains *repository.Domains) error {
	use, err := domains.Use(ctx, domains.Domain(ownProject))
	if err != nil {
		return err
	}
	defer use.Done()
	found, err := verification.Domain(ctx, use.Domain(), ownProject, verification.Options{Depth: verification.Full, Now: time.Now})
	if err == nil && !found.Good() {
		err = fmt.Errorf("what was written is damaged: %v", found.Damaged)
	}
	return err
}
