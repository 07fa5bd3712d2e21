package contract_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/contract"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func TestSimulatedCloudKeepsContract(t *testing.T) {
	cloud, err := testcloud.Start(t.Context(), testcloud.Options{
		Dir: t.TempDir(), Timing: fabric.Timing{Change: 20 * time.Millisecond}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	who := func(name string) contract.Credentials {
		u, ok := cloud.User(name)
		if !ok {
			t.Fatalf("the simulated cloud has no user %s", name)
		}
		return contract.Credentials{UserName: u.Name, Password: u.Password, ProjectName: u.ProjectName}
	}
	reader, admin := who("demo-reader"), who("admin")
	contract.Run(t, contract.Target{
		AuthURL: cloud.URL(), Region: "RegionOne",
		Member: who("demo"), Other: who("other"), Reader: &reader, Admin: &admin, Trustee: who("karbor"),
		Simulated: true, Wait: 2 * time.Minute, Pause: 10 * time.Millisecond,
	})
}
