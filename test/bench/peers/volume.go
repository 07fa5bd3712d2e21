package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// volumes are three file systems as volumes hold them: a, the same one after it has been
// worked on (a2), and another one with most of the same files (b).
type volumes struct {
	a, a2, b string
	image    int64
	// extents are where a2 differs from a, in blocks of extentSize.
	extents string
	changed int64
}

const (
	pageSize = 8 << 10
	pageMark = "karbor benchmark page"
	maxFile  = 4 << 20
)

// newVolumes names the volumes.
func newVolumes(s settings) *volumes {
	dir := filepath.Join(s.dir, "volumes")
	return &volumes{
		a: filepath.Join(dir, "a.img"), a2: filepath.Join(dir, "a2.img"), b: filepath.Join(dir, "b.img"),
		image: s.image, extents: filepath.Join(dir, "changed"),
	}
}

// openVolumes makes the volumes, or takes those that an earlier run has kept. They are
// made by another process: the system counts the memory that this one ever had as that
// of the programs that it starts.
func openVolumes(ctx context.Context, s settings) (*volumes, error) {
	v := newVolumes(s)
	if _, err := os.Stat(v.extents); err != nil || !s.keep {
		path, err := os.Executable()
		if err != nil {
			return nil, err
		}
		maker := exec.CommandContext(ctx, path, append([]string{"-make", "-dir", s.dir}, os.Args[1:]...)...)
		maker.Stderr = os.Stderr
		if err := maker.Run(); err != nil {
			return nil, err
		}
	}
	return v, v.compare()
}

// maker makes volumes of one choice of files.
type maker struct {
	settings
	random *rand.Rand
	noise  io.Reader
	files  []string // of which those at the begin are in the volumes
	used   int
}

// makeVolumes makes the three volumes.
func makeVolumes(ctx context.Context, s settings) error {
	v := newVolumes(s)
	if err := errors.Join(os.RemoveAll(filepath.Dir(v.a)), os.MkdirAll(filepath.Dir(v.a), 0o700)); err != nil {
		return err
	}
	seed := [32]byte{}
	binary.LittleEndian.PutUint64(seed[:], s.seed)
	noise := rand.NewChaCha8(seed)
	m := &maker{settings: s, random: rand.New(rand.NewPCG(s.seed, 2)), noise: noise}
	var err error
	if m.files, err = findFiles(strings.Split(s.sources, ",")); err != nil {
		return err
	}
	m.random.Shuffle(len(m.files), func(i, j int) { m.files[i], m.files[j] = m.files[j], m.files[i] })
	staging := filepath.Join(s.dir, "staging")
	defer func() { _ = os.RemoveAll(staging) }()
	if err := m.fill(staging); err != nil {
		return err
	}
	if err := m.format(ctx, staging, v.a); err != nil {
		return err
	}
	if err := m.work(ctx, staging, v); err != nil {
		return err
	}
	if err := m.fillOther(staging); err != nil {
		return err
	}
	return m.format(ctx, staging, v.b)
}

// findFiles lists the regular files of folders, in order, but for large ones.
func findFiles(folders []string) ([]string, error) {
	var files []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil //nolint:nilerr // what can't be read is left out
			}
			if info, err := e.Info(); err == nil && info.Size() > 0 && info.Size() <= maxFile {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// take copies files until they have so many bytes, and gives their names in the staging
// folder. Of what the machine has too little, text is made.
func (m *maker) take(size int64, name func(i int) string) ([]string, error) {
	var names []string
	for i := 0; size > 0; i++ {
		to := name(i)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return nil, err
		}
		var n int64
		var err error
		if m.used < len(m.files) {
			n, err = copyFile(m.files[m.used], to)
			m.used++
			if os.IsPermission(err) || os.IsNotExist(err) {
				continue
			}
		} else {
			n = min(size, 256<<10)
			err = os.WriteFile(to, m.words(int(n)), 0o600)
		}
		if err != nil {
			return nil, err
		}
		size -= n
		names = append(names, to)
	}
	return names, nil
}

// fill puts the first volume's files into the staging folder: files of the machine, a
// database's, one of noise and a log.
func (m *maker) fill(staging string) error {
	if _, err := m.take(m.data*60/100, func(i int) string {
		return filepath.Join(staging, fmt.Sprintf("d%03d/f%05d", i/200, i))
	}); err != nil {
		return err
	}
	var pages bytes.Buffer
	for i := range m.data * 20 / 100 / pageSize {
		pages.Write(m.page(i))
	}
	if err := os.WriteFile(filepath.Join(staging, "database"), pages.Bytes(), 0o600); err != nil {
		return err
	}
	if err := m.writeNoise(filepath.Join(staging, "noise"), m.data*18/100); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(staging, "log"), m.words(int(m.data*2/100)), 0o600)
}

// page gives a page of the database: half of it text.
func (m *maker) page(i int64) []byte {
	b := make([]byte, 0, pageSize)
	b = append(b, pageMark...)
	b = binary.LittleEndian.AppendUint64(b, uint64(i))
	b = append(b, m.words(pageSize/2-len(b))...)
	rest := make([]byte, pageSize-len(b))
	_, _ = io.ReadFull(m.noise, rest) // never fails
	return append(b, rest...)
}

func (m *maker) writeNoise(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(m.noise, n))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

var vocabulary = strings.Fields("the server volume network image plan checkpoint bank restore protect of a request to was answered with status " +
	"200 404 500 INFO WARNING ERROR in ms project user 127.0.0.1 GET POST DELETE connection closed by and not found 0x1f 42 1024 65536")

// words gives n bytes of text.
func (m *maker) words(n int) []byte {
	b := make([]byte, 0, n+32)
	for len(b) < n {
		b = append(b, vocabulary[m.random.IntN(len(vocabulary))]...)
		if m.random.IntN(12) == 0 {
			b = append(fmt.Appendf(b, " %d", m.random.Uint32()), '\n')
		} else {
			b = append(b, ' ')
		}
	}
	return b[:n]
}

// format makes a file system of a folder's files.
func (m *maker) format(ctx context.Context, staging, image string) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := f.Truncate(m.image); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	say("making %s", image)
	return call(exec.CommandContext(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-U", "random", "-d", staging, image))
}

// call runs a command, whose output is told if it fails.
func call(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
	}
	return nil
}

func copyFile(from, to string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return n, err
}
