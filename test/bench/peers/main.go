// Command peers compares Karbor's repository with other backup programs on one set of
// volumes: CPU time, memory, and bytes. It makes the volumes, runs the programs one
// after the other, round by round, and prints what each took and the ratios, with their
// spread. It needs mke2fs and debugfs (Debian: e2fsprogs). Run it with `make bench-peers`;
// docs/operators/figures.md says what was seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// settings are what the flags say.
type settings struct {
	dir     string
	data    int64 // bytes of each volume that are no holes
	image   int64 // bytes of each volume
	rounds  int
	tools   string
	sources string
	keep    bool
	make    bool
	seed    uint64
}

func main() {
	if err := run(); err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == ownCommand {
		return own(ctx, os.Args[2:])
	}
	var s settings
	var data, image int64
	flag.StringVar(&s.dir, "dir", "", "folder for volumes and repositories, on the disk to measure; a temporary one by default")
	flag.Int64Var(&data, "data", 600, "MiB of data in each volume")
	flag.Int64Var(&image, "image", 1024, "MiB of each volume, holes and all")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each program runs")
	flag.StringVar(&s.tools, "tools", "karbor,restic,borg,kopia", "the programs; those that are missing are left out")
	flag.StringVar(&s.sources, "sources", "/usr/lib,/usr/share,/usr/bin", "folders whose files the volumes hold")
	flag.BoolVar(&s.keep, "keep", false, "keep the volumes, and use those that are there")
	flag.BoolVar(&s.make, "make", false, "make the volumes only")
	flag.Uint64Var(&s.seed, "seed", 1, "of the choice of files and changes")
	flag.Parse()
	s.data, s.image = data<<20, image<<20
	if s.make {
		return makeVolumes(ctx, s)
	}
	return compare(ctx, s)
}

// say tells how far it is.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// compare makes the volumes, runs the programs, and prints the tables.
func compare(ctx context.Context, s settings) error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "karbor-peers-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		s.dir = dir
	}
	set, err := openVolumes(ctx, s)
	if err != nil {
		return fmt.Errorf("making the volumes: %w", err)
	}
	var tools []*tool
	for name := range strings.SplitSeq(s.tools, ",") {
		t, err := findTool(ctx, name)
		if err != nil {
			say("%s is left out: %v", name, err)
			continue
		}
		say("%s: %s", t.name, t.version)
		tools = append(tools, t)
	}
	seen := results{}
	for round := range s.rounds {
		for i := range tools { // they take turns at being the first
			t := tools[(i+round)%len(tools)]
			say("round %d: %s (load %s)", round+1, t.name, load())
			if err := t.run(ctx, filepath.Join(s.dir, "work"), set, seen); err != nil {
				return fmt.Errorf("running %s: %w", t.name, err)
			}
		}
	}
	return seen.print(os.Stdout, set, tools)
}

// load gives the load average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
