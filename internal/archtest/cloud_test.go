package archtest

import (
	"regexp"
	"strings"
	"testing"
)

// lines calls visit with each line of the product's own code below one of the folders.
func lines(t *testing.T, folders []string, visit func(path, line string)) {
	t.Helper()
	walk(t, ".go", func(path string, text []byte) {
		if !withinAny(path, folders) || strings.HasSuffix(path, "_test.go") || withinAny(path, suites) || withinAny(path, outside) {
			return
		}
		for line := range strings.Lines(string(text)) {
			visit(path, strings.TrimSpace(line))
		}
	})
}

var everyPage = regexp.MustCompile(`\bopenstack\.AllPages\(|\bfunc AllPages\[`)

// TestNoListOfACloudIsReadForEver: the pager's own AllPages follows a cloud's links without end, and keeps all that it gets.
func TestNoListOfACloudIsReadForEver(t *testing.T) {
	bounded := 0
	lines(t, []string{"bank", "client", "cmd", "protection", "protectable", "internal", "examples"}, func(path, line string) {
		switch {
		case everyPage.MatchString(line):
			bounded++
		case strings.Contains(line, ".AllPages("):
			t.Errorf("%s reads a list with the pager's own AllPages: use openstack.AllPages, or limits like its own: %s", path, line)
		}
	})
	if bounded == 0 {
		t.Error("no list is read: the test looks for the wrong thing")
	}
}

// TestAPluginsWaitsEndForGood: a bare deadline would have the service begin a wait again that has taken all its time.
func TestAPluginsWaitsEndForGood(t *testing.T) {
	limited := 0
	lines(t, []string{"protection", "internal/blockstorage", "internal/openstack/removal.go", "examples"}, func(path, line string) {
		switch {
		case strings.Contains(line, "Within(ctx"):
			limited++
		case strings.Contains(line, "context.WithTimeout(ctx,"), strings.Contains(line, "context.WithDeadline(ctx,"):
			t.Errorf("%s limits a wait with a bare deadline: use openstack.Within: %s", path, line)
		}
	})
	if limited == 0 {
		t.Error("no wait is limited: the test looks for the wrong thing")
	}
}
