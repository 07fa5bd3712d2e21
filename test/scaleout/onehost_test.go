//go:build temporal && !multihost

package scaleout

import (
	"os/exec"
	"testing"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// host is this machine, which all processes share.
type host struct{ address string }

func everywhere(m *testing.M) int { return run(m) }

func hostOf(testing.TB, string) *host { return &host{"127.0.0.1"} }

func (h *host) command(program string) *exec.Cmd { return exec.Command(program) }

func startCloud(t *testing.T, edit func(*testcloud.Options)) *testcloudtest.Cloud {
	t.Helper()
	return testcloudtest.Start(t, edit)
}

func reachable(_ testing.TB, address string) string { return address }
