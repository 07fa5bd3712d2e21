package survey_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/karbor/karbor/internal/checkpoint/survey"
)

func TestCheckCountsRecordsOfDrillsAndFindsNothingWrongWithThem(t *testing.T) {
	const key = "v1/checkpoints/" + available + "/evidence/d0d0d0d0-0000-4000-8000-000000000001/00000001"
	text, err := os.ReadFile(filepath.Join("../testdata/layout1-evidence", key) + "=")
	if err != nil {
		t.Fatal(err)
	}
	m := golden(t)
	put(t, m, key, string(text))
	if found, r := check(t, m); r.Proofs != 1 || r.Damages != 0 || len(found) != 2 {
		t.Errorf("%+v: %v", r, found)
	}
	s, err := survey.Look(t.Context(), m, open(t, m), nil)
	if err != nil || len(s.Examples) > 0 {
		t.Errorf("it is taken for unknown: %v, %v", s.Examples, err)
	}
}
