//go:build openstack

package contract_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/contract"
)

// folderVariable names the folder with the files openrc-alpha (a member),
// openrc-beta (a member of another project), openrc-alpha-reader, openrc-admin
// and openrc-karbor (the service user) of a real OpenStack.
const folderVariable = "KARBOR_TEST_OPENSTACK"

func TestOpenStackKeepsContract(t *testing.T) {
	folder := os.Getenv(folderVariable)
	if folder == "" {
		t.Fatal(folderVariable + " names no folder with the openrc files of a real OpenStack")
	}
	member, env := readOpenRC(t, folder, "openrc-alpha")
	other, _ := readOpenRC(t, folder, "openrc-beta")
	reader, _ := readOpenRC(t, folder, "openrc-alpha-reader")
	admin, _ := readOpenRC(t, folder, "openrc-admin")
	trustee, _ := readOpenRC(t, folder, "openrc-karbor")
	contract.Run(t, contract.Target{
		AuthURL: env["OS_AUTH_URL"], Region: env["OS_REGION_NAME"],
		Member: member, Other: other, Reader: &reader, Admin: &admin, Trustee: trustee,
		Wait: 2 * time.Minute, Pause: 400 * time.Millisecond,
	})
}

// readOpenRC reads the NAME=value words of the export lines.
func readOpenRC(t *testing.T, folder, name string) (contract.Credentials, map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		t.Fatalf("reading the credentials: %v", err)
	}
	defer func() { _ = f.Close() }()
	env := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
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
	return contract.Credentials{
		UserName: env["OS_USERNAME"], Password: env["OS_PASSWORD"], ProjectName: env["OS_PROJECT_NAME"],
	}, env
}
