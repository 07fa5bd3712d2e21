package compat

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page lists how the service differs from the original, and what tests it.
const page = "../../docs/api/differences.md"

// goTests gives the names of all tests of the module.
func goTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// clientTests gives the names of the scripts ("plans.txtar") and of the checks of
// the library ("library.py/plans").
func clientTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		names[filepath.Base(path)] = true
	}
	text, err := os.ReadFile("testdata/library.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^@check\ndef (\w+)\(`).FindAllStringSubmatch(string(text), -1) {
		names["library.py/"+m[1]] = true
	}
	return names
}

func TestEveryDifferenceNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	ours, clients := goTests(t), clientTests(t)
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| the original") {
			continue
		}
		rows++
		if len(cells) != 3 {
			t.Errorf("a row has %d cells, not 3: %s", len(cells), line)
			continue
		}
		names := quoted.FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("no test is named for: %s", cells[0])
		}
		for _, m := range names {
			if !ours[m[1]] && !clients[m[1]] {
				t.Errorf("there is no test %s, which is named for: %s", m[1], cells[0])
			}
		}
	}
	if rows < 50 {
		t.Errorf("the page has only %d rows", rows)
	}
}
