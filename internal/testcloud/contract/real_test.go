//go:build openstack

package contract_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/contract"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

func TestOpenStackKeepsContract(t *testing.T) {
	member, env := credentials(t, "openrc-alpha")
	other, _ := credentials(t, "openrc-beta")
	reader, _ := credentials(t, "openrc-alpha-reader")
	admin, _ := credentials(t, "openrc-admin")
	trustee, _ := credentials(t, "openrc-karbor")
	contract.Run(t, contract.Target{
		AuthURL: env["OS_AUTH_URL"], Region: env["OS_REGION_NAME"],
		Member: member, Other: other, Reader: &reader, Admin: &admin, Trustee: trustee,
		Wait: 2 * time.Minute, Pause: 400 * time.Millisecond,
	})
}

func credentials(t *testing.T, name string) (contract.Credentials, map[string]string) {
	t.Helper()
	env := testcloudtest.OpenRC(t, name)
	return contract.Credentials{
		UserName: env["OS_USERNAME"], Password: env["OS_PASSWORD"], ProjectName: env["OS_PROJECT_NAME"],
	}, env
}
