package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheReasonsOfThePageAreTheServicesOwnWords looks for each reason that the page
// about failures explains in the texts of the sources.
func TestTheReasonsOfThePageAreTheServicesOwnWords(t *testing.T) {
	page, err := os.ReadFile("../../docs/tenants/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| reason | because | what to do |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	sources := sourceTexts(t)
	code := regexp.MustCompile("`([^`]+)`")
	found := 0
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(row, "|")
		if len(cells) != 5 {
			t.Fatalf("the row %q has %d cells", row, len(cells)-2)
		}
		for _, reason := range code.FindAllStringSubmatch(cells[1], -1) {
			found++
			parts := strings.Split(reason[1], "…")
			for i := range parts {
				parts[i] = regexp.QuoteMeta(parts[i])
			}
			if !regexp.MustCompile(strings.Join(parts, "%[a-z]")).MatchString(sources) {
				t.Errorf("no text of the sources is %q", reason[1])
			}
		}
	}
	if found == 0 {
		t.Error("the page has no reasons")
	}
}

// sourceTexts gives the sources that make the reasons, without their tests.
func sourceTexts(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"protection", "protectable", "bank", "internal"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
