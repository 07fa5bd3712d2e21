package volumebackup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestTheWaitForABackupEndsOnceAndIsTold: a wait whose time is over is not begun again (the engine tries a step nine
// times), and the tenant reads which backup it was, and what it is doing.
func TestTheWaitForABackupEndsOnceAndIsTold(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, "{poll_interval: 10ms, timeout: 200ms}")
	d := disk(t, tenant)
	s := protectiontest.NewSingle(p, d.Source)
	call := s.Begin(tenant.Cloud, nil, nil)
	hooks := p.Hooks(karbor.Protect, karbor.VolumeType)
	if err := s.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "backup.create", Delay: fabric.Duration(time.Hour)})
	err := hooks.Main(t.Context(), call)
	if err == nil || karbor.IsTransient(err) {
		t.Errorf("it is waited for again: %v", err)
	}
	if told := karbor.Sentence(err); !strings.Contains(told, "backup") || !strings.Contains(told, "creating") {
		t.Errorf("the tenant is told: %q", told)
	}
}
