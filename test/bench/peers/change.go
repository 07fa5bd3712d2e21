package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// extentSize is the granule in which it is told what has changed, as clouds tell it.
const extentSize = 64 << 10

// work makes a2 of a: pages of the database are written in place, the log grows, and
// files are replaced, removed and added, by debugfs, as a file system allocates.
func (m *maker) work(ctx context.Context, staging string, v *volumes) error {
	if err := call(exec.CommandContext(ctx, "cp", "--sparse=always", v.a, v.a2)); err != nil {
		return err
	}
	if err := m.rewrite(v.a2); err != nil {
		return err
	}
	fresh := filepath.Join(m.dir, "fresh")
	defer func() { _ = os.RemoveAll(fresh) }()
	added, err := m.take(m.data*2/100, func(i int) string { return filepath.Join(fresh, fmt.Sprintf("n%05d", i)) })
	if err != nil {
		return err
	}
	var script strings.Builder
	script.WriteString("mkdir new\n")
	for i, path := range added {
		fmt.Fprintf(&script, "write %s new/n%05d\n", path, i)
	}
	files, err := regular(staging)
	if err != nil {
		return err
	}
	for i, path := range files {
		fate := m.random.IntN(100)
		inside, err := filepath.Rel(staging, path)
		if err != nil {
			return err
		}
		switch {
		case inside == "log":
			grown, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			to := filepath.Join(fresh, "log")
			if err := os.WriteFile(to, append(grown, m.words(len(grown)/10)...), 0o600); err != nil {
				return err
			}
			fmt.Fprintf(&script, "rm log\nwrite %s log\n", to)
		case !strings.Contains(inside, "/"):
		case fate == 0:
			fmt.Fprintf(&script, "rm %s\n", inside)
		case fate == 1:
			to := filepath.Join(fresh, fmt.Sprintf("r%05d", i))
			if err := os.WriteFile(to, m.words(m.random.IntN(64<<10)+1), 0o600); err != nil {
				return err
			}
			fmt.Fprintf(&script, "rm %s\nwrite %s %s\n", inside, to, inside)
		}
	}
	commands := filepath.Join(fresh, "commands")
	if err := os.WriteFile(commands, []byte(script.String()), 0o600); err != nil {
		return err
	}
	return call(exec.CommandContext(ctx, "debugfs", "-w", "-f", commands, v.a2))
}

// rewrite changes one page of the database in 200, in place.
func (m *maker) rewrite(image string) error {
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, len(pageMark))
	for at := int64(0); at+pageSize <= m.image; at += 4 << 10 {
		if _, err := f.ReadAt(head, at); err != nil {
			return err
		}
		if string(head) != pageMark || m.random.IntN(200) > 0 {
			continue
		}
		if _, err := f.WriteAt(m.page(at), at); err != nil {
			return err
		}
	}
	return nil
}

// fillOther makes the staging folder that of the other volume: most of the files, by
// other names and so in another order, and noise of its own.
func (m *maker) fillOther(staging string) error {
	files, err := regular(staging)
	if err != nil {
		return err
	}
	m.random.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	other := staging + "-other"
	if err := os.Mkdir(other, 0o700); err != nil {
		return err
	}
	for i, path := range files {
		if filepath.Dir(path) == staging || m.random.IntN(100) < 5 {
			continue
		}
		to := filepath.Join(other, fmt.Sprintf("e%02d/g%05d", i%97, i))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(path, to); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(staging); err != nil {
		return err
	}
	if err := os.Rename(other, staging); err != nil {
		return err
	}
	return m.writeNoise(filepath.Join(staging, "own"), m.data*10/100)
}

// regular lists the files below a folder, in order.
func regular(folder string) (files []string, err error) {
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// compare notes where a2 differs from a, in extents.
func (v *volumes) compare() error {
	a, err := os.Open(v.a)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	a2, err := os.Open(v.a2)
	if err != nil {
		return err
	}
	defer func() { _ = a2.Close() }()
	var text strings.Builder
	v.changed = 0
	x, y := make([]byte, extentSize), make([]byte, extentSize)
	for at := int64(0); at < v.image; at += extentSize {
		n := int(min(extentSize, v.image-at))
		if _, err := io.ReadFull(a, x[:n]); err != nil {
			return err
		}
		if _, err := io.ReadFull(a2, y[:n]); err != nil {
			return err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			fmt.Fprintf(&text, "%d %d\n", at, n)
			v.changed += int64(n)
		}
	}
	return os.WriteFile(v.extents, []byte(text.String()), 0o600)
}
