package volumebackup_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestTheWaitForABackupEndsOnceAndIsTold: a wait whose time is over is not begun again (the engine tries a step nine
// times), and the tenant reads which backup it was, and what it is doing.
func TestTheWaitForABackupEndsOnceAndIsTold(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, "{poll_interval: 10ms, timeout: 7m}")
	d := disk(t, tenant)
	s := protectiontest.NewSingle(p, d.Source)
	call := s.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil)
	hooks := p.Hooks(karbor.Protect, karbor.VolumeType)
	if err := s.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "backup.create", Delay: fabric.Duration(time.Hour)})
	way.Stay("/backups/", func(map[string]any) {})
	protectiontest.ExpectOvertime(t, hooks.Main(t.Context(), call), "7m0s", "backup", `"creating"`)
}
