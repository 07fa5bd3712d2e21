package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The differential test against Python's oslo.policy. testdata/oslo/corpus.jsonl holds
// rules and what oslo.policy decided on them; "make test-compat" asks oslo.policy itself,
// on many more, and with -update writes the corpus anew.

// world is a caller, a target, and the rules that are there besides the one asked for.
type world struct {
	Rules  map[string]any `json:"rules"`
	Creds  map[string]any `json:"creds"`
	Target map[string]any `json:"target"`
}

// osloCase is a rule with what oslo.policy makes of it.
type osloCase struct {
	// Rule is a text or a list.
	Rule any `json:"rule"`
	// Sound says that the rule was written by the grammar, and so must be taken.
	Sound bool `json:"sound,omitempty"`
	// Understood says that oslo.policy understood it, and Answers holds its decision in
	// each world: y, n, or e where it ends with an error.
	Understood bool   `json:"understood"`
	Answers    string `json:"answers"`
}

const osloDir = "testdata/oslo"

func readWorlds(t testing.TB) []world {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(osloDir, "worlds.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Worlds []world `json:"worlds"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file.Worlds
}

// stricter are the reasons for which we refuse what oslo.policy takes: it then decides
// no, or ends with an error, or may mean another thing than the writer.
var stricter = []string{
	"http: and https: are not supported", "behind the colon of", "must be of the form", "must be written", "backslash", "does not end before the colon",
	"is no name of an attribute", "is a word of Python", "is no name of a rule", "a parenthesis stands inside", "control character",
	"is a text and no check", "holds what is not a check", "is neither a text nor a list",
}

// compareWithOslo decides on a case in each world, and gives a sentence for each
// difference.
func compareWithOslo(worlds []world, c osloCase) []string {
	rule := &entry{name: "the rule"}
	if err := rule.parseValue(c.Rule); err != nil {
		known := slices.ContainsFunc(stricter, func(s string) bool { return strings.Contains(err.Error(), s) })
		if c.Sound || c.Understood && !known {
			return []string{fmt.Sprintf("%q is refused: %v", c.Rule, err)}
		}
		return nil
	}
	if !c.Understood {
		return []string{fmt.Sprintf("%q is taken, and oslo.policy does not understand it", c.Rule)}
	}
	var out []string
	for i, w := range worlds {
		s := &set{entries: map[string]*entry{}}
		for name, value := range w.Rules {
			e := &entry{name: name}
			if err := e.parseValue(value); err != nil {
				return []string{fmt.Sprintf("world %d: rule %s: %v", i, name, err)}
			}
			s.entries[name] = e
		}
		// Checks are linked to the rules of a world: each needs its own.
		mine := &entry{name: "the rule"}
		if err := mine.parseValue(c.Rule); err != nil {
			return []string{err.Error()}
		}
		s.entries[mine.name] = mine
		if err := s.link(); err != nil {
			return []string{fmt.Sprintf("world %d: %q: %v", i, c.Rule, err)}
		}
		got := ask(mine.check, bag(w.Creds), bag(w.Target))
		if want := c.Answers[i] == 'y'; got != want {
			out = append(out, fmt.Sprintf("world %d: %q: %t, and oslo.policy says %c", i, c.Rule, got, c.Answers[i]))
		}
	}
	return out
}

// parseValue is parse without a look at the name.
func (e *entry) parseValue(value any) (err error) {
	switch v := value.(type) {
	case string:
		e.check, err = parseRule(v)
	case []any:
		e.check, err = parseList(v)
	default:
		err = fmt.Errorf("%T is no rule", value)
	}
	return err
}

func TestDecisionsAreThoseOfOsloPolicy(t *testing.T) {
	t.Parallel()
	worlds := readWorlds(t)
	text, err := os.ReadFile(filepath.Join(osloDir, "corpus.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[rune]int{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c osloCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		for _, difference := range compareWithOslo(worlds, c) {
			t.Error(difference)
		}
		for _, answer := range c.Answers {
			counts[answer]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	// A corpus of one answer only would prove nothing.
	for _, answer := range "yne" {
		if counts[answer] < 200 {
			t.Errorf("the corpus has %d answers %c", counts[answer], answer)
		}
	}
	t.Logf("decisions compared: %d yes, %d no, %d errors", counts['y'], counts['n'], counts['e'])
}
