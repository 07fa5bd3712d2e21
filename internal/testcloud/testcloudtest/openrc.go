package testcloudtest

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openRCVariable names the folder with the files openrc-alpha (a member), openrc-beta (a
// member of another project), openrc-alpha-reader, openrc-admin and openrc-karbor (the
// service user) of a real OpenStack.
const openRCVariable = "KARBOR_TEST_OPENSTACK"

// OpenRC gives what a file of a real OpenStack's sets: the NAME=value words of its lines
// that export. It fails the test if the environment names no such OpenStack.
func OpenRC(t testing.TB, name string) map[string]string {
	t.Helper()
	folder := os.Getenv(openRCVariable)
	if folder == "" {
		t.Fatal(openRCVariable + " names no folder with the openrc files of a real OpenStack")
	}
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		t.Fatalf("reading the credentials: %v", err)
	}
	defer func() { _ = f.Close() }()
	env := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words, ok := strings.CutPrefix(lines.Text(), "export ")
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(words) {
			if key, value, ok := strings.Cut(word, "="); ok {
				env[key] = strings.Trim(value, `'"`)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("reading the credentials: %v", err)
	}
	return env
}
