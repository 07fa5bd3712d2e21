package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of a page, or a comment "run first" (kind "first").
type block struct {
	line   int
	kind   string
	reason string // why it is not run
	from   string // the file that it quotes
	lines  []string
}

// pageOf reads the blocks of a page in their order.
func pageOf(t *testing.T, path string) []block {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return blocks
}

var (
	notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
	quoted = regexp.MustCompile(`^<!-- from (\S+) -->$`)
)

func parse(text string) ([]block, error) {
	const fence = "```"
	var all []block
	var open *block
	indent, end, reason, from := "", "", "", ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open != nil && trimmed == end:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, strings.TrimPrefix(line, indent))
		case strings.HasPrefix(trimmed, fence):
			open = &block{line: i + 1, kind: strings.TrimPrefix(trimmed, fence), reason: reason, from: from}
			indent, _, _ = strings.Cut(line, fence)
			end, reason, from = fence, "", ""
		case trimmed == "<!-- run first:":
			open, end, indent = &block{line: i + 1, kind: "first"}, "-->", ""
		case notRun.MatchString(trimmed):
			reason = notRun.FindStringSubmatch(trimmed)[1]
		case quoted.MatchString(trimmed):
			from = quoted.FindStringSubmatch(trimmed)[1]
		case trimmed != "" && reason+from != "":
			return nil, fmt.Errorf("line %d: there is no block below the mark", i)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block does not end", open.line)
	}
	return all, nil
}

// step is a command, and what it prints; nil for anything.
type step struct {
	line    int
	command string
	output  []string
}

// steps takes a console block apart.
func (b block) steps() ([]step, error) {
	var all []step
	on := false
	for i, line := range b.lines {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case on:
			all[len(all)-1].command += "\n" + line
		case isCommand:
			all = append(all, step{line: b.line + 1 + i, command: command})
		case len(all) == 0:
			return nil, fmt.Errorf("line %d: no command stands above %q", b.line+1+i, line)
		default:
			all[len(all)-1].output = append(all[len(all)-1].output, line)
			continue
		}
		on = strings.HasSuffix(line, `\`)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("line %d: the block has no command", b.line)
	}
	return all, nil
}

var (
	spaces  = regexp.MustCompile(` +`)
	hyphens = regexp.MustCompile(`-{2,}`)
)

// shape makes lines that differ in widths only the same.
func shape(line string) string {
	line = spaces.ReplaceAllString(strings.TrimRight(line, " \r"), " ")
	return hyphens.ReplaceAllString(line, "--")
}

// matches reports whether what was printed is as the page has it.
func matches(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "…" {
		for skip := range len(got) + 1 {
			if matches(want[1:], got[skip:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && lineMatches(want[0], got[0]) && matches(want[1:], got[1:])
}

func lineMatches(want, got string) bool {
	parts := strings.Split(shape(want), "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(shape(got))
}

func TestPagesAreTakenApart(t *testing.T) {
	blocks, err := parse("a\n\n<!-- not run: no cloud -->\n```console\n$ x\n```\n\n<!-- run first:\ny\n-->\n   ```console\n   $ a \\\n     b\n   c…\n   ```\n")
	if err != nil || len(blocks) != 3 || blocks[0].reason != "no cloud" || blocks[1].kind != "first" || blocks[2].reason != "" {
		t.Fatalf("%+v, error %v", blocks, err)
	}
	steps, err := blocks[2].steps()
	if err != nil || len(steps) != 1 || steps[0].command != "a \\\n  b" || steps[0].output[0] != "c…" {
		t.Errorf("%+v, error %v", steps, err)
	}
	if blocks, err := parse("<!-- from a/b.go -->\n```go\nx\n```\n"); err != nil || len(blocks) != 1 || blocks[0].from != "a/b.go" {
		t.Errorf("%+v, error %v", blocks, err)
	}
	for _, bad := range []string{"```console\n", "<!-- not run: x -->\ntext\n", "<!-- from a/b.go -->\ntext\n"} {
		if blocks, err := parse(bad); err == nil {
			t.Errorf("%q gives %+v", bad, blocks)
		}
	}
	for _, bad := range []block{{kind: "console"}, {kind: "console", lines: []string{"karbor x"}}} {
		if steps, err := bad.steps(); err == nil {
			t.Errorf("%+v gives %+v", bad, steps)
		}
	}
}

func TestOutputIsComparedByItsShape(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		same      bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a…c", "abbc", true}, {"a…c", "abb", false}, {"…", "", true}, {"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…\nc", "a\nc", true}, {"a\n…", "b", false}, {"| Id     |\n+---+", "| Id |\n+--------+", true}, {"a", "a\nb", false}, {"a.c", "abc", false},
	} {
		if got := matches(strings.Split(tt.want, "\n"), strings.Split(tt.got, "\n")); got != tt.same {
			t.Errorf("%q and %q: %v", tt.want, tt.got, got)
		}
	}
}
