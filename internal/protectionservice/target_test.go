package protectionservice_test

import (
	"context"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protection"
)

// TestServiceUserIsForKarborsOwnCloud restores here and into another cloud: there the
// service user of this one must not be asked for anything.
func TestServiceUserIsForKarborsOwnCloud(t *testing.T) {
	for name, target := range map[string]string{"own cloud": "", "another cloud": otherCloud} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			given := make(chan bool, 1)
			s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: func(_ context.Context, call *protection.Call) error {
				given <- call.Service != nil
				return nil
			}})
			cp := s.until(s.protect(s.plan(volume("v1"))))
			request := protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp.ID, Target: target}
			if target != "" {
				request.Auth = &openstack.PasswordAuth{Username: "u", Password: "p", Project: "p"}
			}
			r, err := s.service.Restore(t.Context(), s.caller(), request)
			if err != nil {
				t.Fatal(err)
			}
			if r = s.untilRestored(r.ID); r.Status != karbor.RestoreSuccess {
				t.Fatalf("restore is %s: %v", r.Status, r.ResourcesReason)
			}
			if got := arrives(t, given); got != (target == "") {
				t.Errorf("the hook was given the service user: %t", got)
			}
		})
	}
}
