package archtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// top is the module's folder.
const top = "../.."

// maxLines is how long a source file may be.
const maxLines = 400

// walk calls visit with each file of the tree that has the extension, with its
// path below the module's folder.
func walk(t *testing.T, extension string, visit func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != extension {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(top, path)
		visit(short, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoSourceFileIsTooLong(t *testing.T) {
	walk(t, ".go", func(path string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it by noun", path, n, maxLines)
		}
	})
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

func TestLinksOfThePagesLeadToFiles(t *testing.T) {
	seen := 0
	walk(t, ".md", func(path string, text []byte) {
		for _, found := range link.FindAllSubmatch(text, -1) {
			target := string(found[1])
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			seen++
			if _, err := os.Stat(filepath.Join(top, filepath.Dir(path), target)); err != nil {
				t.Errorf("%s leads to %s, which is not there", path, target)
			}
		}
	})
	if seen == 0 {
		t.Error("no link was found at all")
	}
}

var required = regexp.MustCompile(`(?m)^\s*(?:require )?([a-z0-9.]+\.[a-z]+/\S+) (v\S+)( // indirect)?$`)

func TestEachDependencyIsOnTheirPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, found := range required.FindAllSubmatch(mod, -1) {
		if len(found[3]) > 0 {
			continue
		}
		seen++
		if line := string(found[1]) + " " + string(found[2]); !strings.Contains(string(page), line) {
			t.Errorf("docs/dependencies.md does not have %q", line)
		}
	}
	if seen == 0 {
		t.Error("no dependency was found at all")
	}
}

// maxFile is how many bytes a file of the tree may have: what is larger was built, and
// slipped in.
const maxFile = 1 << 20

func TestNothingThatWasBuiltIsInTheTree(t *testing.T) {
	walk(t, "", func(path string, text []byte) {
		if len(text) > maxFile {
			t.Errorf("%s has %d bytes, more than %d: was it built?", path, len(text), maxFile)
		}
	})
}
