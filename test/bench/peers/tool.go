package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// place is where a program has its repository and all that it keeps beside it.
type place struct{ dir string }

func (p place) repository() string { return filepath.Join(p.dir, "repository") }
func (p place) cache() string      { return filepath.Join(p.dir, "cache") }
func (p place) volume() string     { return filepath.Join(p.dir, "volumes", "disk.img") }
func (p place) restored() string   { return filepath.Join(p.dir, "restored") }

// tool is a program that is compared.
type tool struct {
	name, version, path string
	env                 func(p place) []string
	start               func(p place) [][]string
	backup              func(p place, name string) []string
	verify              func(p place) []string
	restore             func(p place, name string) []string
	// hinted backs a volume up that is told to differ from an earlier one only in some
	// extents; nil for who can't.
	hinted func(p place, name, before, extents string) []string
}

// findTool finds a program: RESTIC, BORG or KOPIA name one that is not in PATH.
func findTool(ctx context.Context, name string) (*tool, error) {
	if name == ownCommand {
		return ownTool()
	}
	known, ok := map[string]func() *tool{"restic": restic, "borg": borg, "kopia": kopia}[name]
	if !ok {
		return nil, errors.New("it is not known")
	}
	path := os.Getenv(strings.ToUpper(name))
	if path == "" {
		path = name
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return nil, err
	}
	t := known()
	t.name, t.path = name, path
	word := "version"
	if name != "restic" {
		word = "--version"
	}
	out, err := exec.CommandContext(ctx, path, word).Output()
	t.version = strings.TrimSpace(string(out))
	return t, err
}

func restic() *tool {
	return &tool{
		env: func(p place) []string {
			return []string{"RESTIC_PASSWORD=peers", "RESTIC_REPOSITORY=" + p.repository(), "RESTIC_CACHE_DIR=" + p.cache()}
		},
		start:  func(place) [][]string { return [][]string{{"init", "-q", "--repository-version", "2"}} },
		backup: func(p place, name string) []string { return []string{"backup", "-q", "--tag", name, p.volume()} },
		verify: func(place) []string { return []string{"check", "-q", "--read-data"} },
		restore: func(p place, name string) []string {
			return []string{"restore", "-q", "latest", "--tag", name, "--target", p.restored()}
		},
	}
}

func borg() *tool {
	return &tool{
		env: func(p place) []string {
			return []string{"BORG_PASSPHRASE=peers", "BORG_REPO=" + p.repository(), "BORG_BASE_DIR=" + p.cache()}
		},
		start: func(place) [][]string { return [][]string{{"init", "--encryption", "repokey-blake2"}} },
		backup: func(p place, name string) []string {
			return []string{"create", "--compression", "lz4", "::" + name, p.volume()}
		},
		verify:  func(place) []string { return []string{"check", "--verify-data"} },
		restore: func(_ place, name string) []string { return []string{"extract", "--sparse", "::" + name} },
	}
}

func kopia() *tool {
	return &tool{
		env: func(p place) []string {
			return []string{
				"KOPIA_PASSWORD=peers", "KOPIA_CHECK_FOR_UPDATES=false", "KOPIA_CACHE_DIRECTORY=" + p.cache(),
				"KOPIA_CONFIG_PATH=" + filepath.Join(p.cache(), "config"), "KOPIA_LOG_DIR=" + p.cache(),
			}
		},
		start: func(p place) [][]string {
			return [][]string{
				{"repository", "create", "filesystem", "--path", p.repository()},
				{"policy", "set", "--global", "--compression", "zstd-fastest"},
			}
		},
		backup: func(p place, name string) []string {
			return []string{"snapshot", "create", "--tags", "volume:" + name, filepath.Dir(p.volume())}
		},
		verify: func(place) []string { return []string{"snapshot", "verify", "--verify-files-percent=100"} },
		// It knows the snapshots of a folder by their times: the last but one is a2's.
		restore: func(p place, _ string) []string {
			return []string{"restore", "--snapshot-time", "latest", filepath.Dir(p.volume()), p.restored()}
		},
	}
}

// usage is what a run of a program took.
type usage struct {
	cpu  float64 // seconds, in user space and the kernel
	wall float64 // seconds
	peak float64 // MiB of resident memory
}

// call runs the program, and measures it.
func (t *tool) call(ctx context.Context, p place, args []string) (usage, error) {
	c := exec.CommandContext(ctx, t.path, args...)
	c.Env = append(os.Environ(), t.env(p)...)
	c.Dir = p.restored() // borg restores into it
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	began := time.Now()
	if err := c.Run(); err != nil {
		return usage{}, fmt.Errorf("%s %s: %w\n%s", t.name, strings.Join(args, " "), err, out.String())
	}
	u := usage{wall: time.Since(began).Seconds(), cpu: (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()}
	if r, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = float64(r.Maxrss) / 1024
	}
	return u, nil
}

// stored gives how many bytes a repository has.
func stored(dir string) (n float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil && !strings.HasPrefix(e.Name(), "=") { // the file bank's own
			n += float64(info.Size()) / (1 << 20)
		}
		return err
	})
	return n, err
}

// run has a program back up the three volumes, verify and restore. The order is a, a2, b;
// what is restored is a2, or for who restores the latest only, b.
func (t *tool) run(ctx context.Context, dir string, v *volumes, seen results) error {
	p := place{dir}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, d := range []string{p.repository(), p.cache(), filepath.Dir(p.volume()), p.restored()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	for _, args := range t.start(p) {
		if _, err := t.call(ctx, p, args); err != nil {
			return err
		}
	}
	before := 0.0
	for _, step := range []struct {
		name, image string
	}{{"a", v.a}, {"a2", v.a2}, {"b", v.b}} {
		if step.name == "a2" && t.hinted != nil {
			if err := t.runHinted(ctx, p, v, seen); err != nil {
				return err
			}
		}
		if err := p.present(step.image); err != nil {
			return err
		}
		if err := t.note(ctx, p, seen, cpuOf[step.name], t.backup(p, step.name)); err != nil {
			return err
		}
		after, err := stored(p.repository())
		if err != nil {
			return err
		}
		seen.add(t.name, bytesOf[step.name], after-before)
		before = after
	}
	seen.add(t.name, storedAll, before)
	if err := t.note(ctx, p, seen, verifyAll, t.verify(p)); err != nil {
		return err
	}
	name, image := "a2", v.a2
	if t.name == "kopia" {
		name, image = "b", v.b
	}
	if err := t.note(ctx, p, seen, restoreOne, t.restore(p, name)); err != nil {
		return err
	}
	return same(ctx, image, p.restored())
}

// runHinted measures the second backup with hints, in a copy of the repository.
func (t *tool) runHinted(ctx context.Context, p place, v *volumes, seen results) error {
	other := place{p.dir + "-hinted"}
	if err := call(exec.CommandContext(ctx, "cp", "-a", p.dir, other.dir)); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(other.dir) }()
	if err := other.present(v.a2); err != nil {
		return err
	}
	if err := t.note(ctx, other, seen, secondHinted, t.hinted(other, "a2", "a", v.extents)); err != nil {
		return err
	}
	if _, err := t.call(ctx, other, t.restore(other, "a2")); err != nil {
		return err
	}
	return same(ctx, v.a2, other.restored())
}

// note runs the program and notes what it took.
func (t *tool) note(ctx context.Context, p place, seen results, what measure, args []string) error {
	u, err := t.call(ctx, p, args)
	if err != nil {
		return err
	}
	seen.add(t.name, what, u.cpu)
	seen.add(t.name, peakMemory, u.peak)
	return nil
}

// present puts an image where the volume is: the same place for all, as a volume has one.
func (p place) present(image string) error {
	if err := os.Remove(p.volume()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(image, p.volume())
}

// same finds the restored image below a folder, and compares it.
func same(ctx context.Context, image, folder string) error {
	files, err := regular(folder)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%d files were restored", len(files))
	}
	return call(exec.CommandContext(ctx, "cmp", image, files[0]))
}
