package service

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadOpenRCReadsWhatAShellWould(t *testing.T) {
	path := filepath.Join(t.TempDir(), "openrc")
	text := "unset OS_TOKEN\n# comment\nexport OS_AUTH_URL=http://h/v3 OS_REGION_NAME=\"one two\"\n  export OS_PASSWORD='it'\\''s'\nOTHER=x\nexport EMPTY=\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadOpenRC(path)
	want := map[string]string{"OS_AUTH_URL": "http://h/v3", "OS_REGION_NAME": "one two", "OS_PASSWORD": "it's", "EMPTY": ""}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if err := os.WriteFile(path, []byte("export A=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOpenRC(path); err == nil {
		t.Error("an openrc without a cloud is no error")
	}
}
