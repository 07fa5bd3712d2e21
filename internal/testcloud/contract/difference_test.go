package contract

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked finds the ids that the suite asks for.
var asked = regexp.MustCompile(`Difference\("([^"]+)"\)`)

func TestEveryDifferenceIsListedAndAskedFor(t *testing.T) {
	list, err := parseDifferences(differenceText)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "difference_test.go" {
			continue
		}
		for _, m := range asked.FindAllSubmatch(text, -1) {
			used[string(m[1])] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(list)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("listed (-) and asked for (+):\n%s", diff)
	}
}

func TestDifferencesNeedAllMembersOnce(t *testing.T) {
	for name, text := range map[string]string{
		"no reason": "- {id: a, real: b, sim: c}",
		"twice":     "- {id: a, real: b, sim: c, reason: d}\n- {id: a, real: b, sim: c, reason: d}",
		"unknown":   "- {id: a, real: b, sim: c, reason: d, colour: e}",
	} {
		if _, err := parseDifferences([]byte(text)); err == nil {
			t.Errorf("%s: the list was accepted", name)
		}
	}
}

func TestRealCloudMayNotDiffer(t *testing.T) {
	if (Target{}).Difference("guest-writes") {
		t.Error("a real cloud is let differ")
	}
	if !(Target{Simulated: true}).Difference("guest-writes") || (Target{Simulated: true}).Difference("no-such") {
		t.Error("the simulator may differ exactly as listed")
	}
}
