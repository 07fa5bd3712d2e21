package daemon

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestStateFolderIsForOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second lock gives %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(dir)
	if err != nil {
		t.Fatalf("after the first was given up: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
