package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestThePagesForPluginAuthorsQuoteWhatTheFilesHave(t *testing.T) {
	pages, err := filepath.Glob("../../docs/plugin-authors/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, error %v", len(pages), err)
	}
	quotes := 0
	for _, page := range pages {
		for _, b := range pageOf(t, page) {
			if b.reason != "" {
				continue
			}
			if b.from == "" {
				t.Errorf("%s, line %d: the block quotes no file: it needs a line <!-- from path --> above it, or <!-- not run: why -->", page, b.line)
				continue
			}
			quotes++
			text, err := os.ReadFile(filepath.Join("../..", b.from))
			if err != nil {
				t.Errorf("%s, line %d: %v", page, b.line, err)
			} else if missing := unquoted(b.lines, strings.Split(string(text), "\n")); missing != "" {
				t.Errorf("%s, line %d: %s does not have, where the quote has it:\n%s", page, b.line, b.from, missing)
			}
		}
	}
	if quotes == 0 {
		t.Error("nothing is quoted")
	}
}

// unquoted gives the first part of a quote that a file does not have, behind the parts before it; "" if it has all.
func unquoted(quote, file []string) string {
	rest := make([]string, 0, len(file))
	for _, line := range file {
		rest = append(rest, bare(line))
	}
	found := 0
	for _, part := range parts(quote) {
		at := slices.IndexFunc(starts(rest, len(part)), func(lines []string) bool { return slices.Equal(lines, part) })
		if at < 0 {
			return strings.Join(part, "\n")
		}
		rest = rest[at+len(part):]
		found++
	}
	if found == 0 {
		return "nothing: the quote is empty"
	}
	return ""
}

// bare is a line without its indentation, and with single spaces.
func bare(line string) string { return strings.Join(strings.Fields(line), " ") }

// parts takes a quote apart at the lines "…", without empty lines around them.
func parts(quote []string) [][]string {
	all := [][]string{nil}
	for _, line := range quote {
		if line = bare(line); line == "…" {
			all = append(all, nil)
		} else {
			all[len(all)-1] = append(all[len(all)-1], line)
		}
	}
	for i, part := range all {
		for len(part) > 0 && part[0] == "" {
			part = part[1:]
		}
		for len(part) > 0 && part[len(part)-1] == "" {
			part = part[:len(part)-1]
		}
		all[i] = part
	}
	return slices.DeleteFunc(all, func(part []string) bool { return len(part) == 0 })
}

// starts gives all runs of n lines.
func starts(lines []string, n int) [][]string {
	var all [][]string
	for i := range len(lines) - n + 1 {
		all = append(all, lines[i:i+n])
	}
	return all
}

func TestQuotesAreComparedLineByLine(t *testing.T) {
	file := strings.Split("func f() {\n\tif a  {\n\t\tb()\n\t}\n\tc()\n}", "\n")
	for quote, same := range map[string]bool{
		"if a {\n\tb()\n}": true, "func f() {\n…\n\tc()\n}": true, "func f() {\n\t…\n}": true, "b()": true,
		"if a {\n\tc()\n}": false, "c()\n…\nb()": false, "d()": false, "": false, "…": false, "b": false,
	} {
		if missing := unquoted(strings.Split(quote, "\n"), file); (missing == "") != same {
			t.Errorf("%q: missing %q", quote, missing)
		}
	}
}
