package volumeglance_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// hung is a volume with a checkpoint, with other bytes since, on a server that runs.
type hung struct {
	tenant         *protectiontest.Tenant
	way            *protectiontest.Meanwhile
	volume, server string
	// kept and spoilt tell the bytes: of the checkpoint, and since.
	kept, spoilt string
	single       *protectiontest.Single
	hooks        protection.Hooks
	call         *protection.Call
}

func newHung(t *testing.T) *hung {
	t.Helper()
	h := &hung{tenant: protectiontest.NewTenant(t, protectiontest.SmallVolumes), way: &protectiontest.Meanwhile{}}
	h.volume = makeVolume(t, h.tenant)
	h.kept = h.tenant.Sum(t, h.volume)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: h.volume, Name: "disk"}, "")
	p := openWith(t, "{poll_interval: 2ms, timeout: 20s}")
	h.single = protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	h.hooks, h.call = p.Hooks(karbor.Protect, karbor.VolumeType), h.single.Begin(h.tenant.Cloud, nil, nil)
	h.must(t, h.hooks.PrepareFinish, h.hooks.Main)
	h.tenant.Overwrite(t, h.volume, "what nobody wants ")
	h.spoilt = h.tenant.Sum(t, h.volume)
	h.server = server(t, h.tenant, h.volume)
	h.hooks, h.call = p.Hooks(protection.InPlace, karbor.VolumeType), h.single.Begin(h.tenant.Session(t, &http.Client{Transport: h.way}), nil, nil)
	return h
}

func (h *hung) must(t *testing.T, hooks ...protection.Hook) {
	t.Helper()
	for _, hook := range hooks {
		if err := h.single.Run(t, hook, h.call); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *hung) undo(t *testing.T) error {
	t.Helper()
	undo := func(ctx context.Context, call *protection.Call) error {
		return protection.Undo(ctx, h.hooks.Undo, call)
	}
	return h.single.Run(t, undo, h.call)
}

// dropServer is the tenant who deletes the server.
func (h *hung) dropServer(t *testing.T) func() {
	return func() { h.tenant.Remove(t, "compute", "servers/"+h.server, "server") }
}

func (h *hung) act(t *testing.T, action string) {
	t.Helper()
	h.tenant.Do(t, "compute", http.MethodPost, "servers/"+h.server+"/action", map[string]any{action: nil})
}

// expect looks at the volume, off all servers, and at what the tenant was told of the server.
func (h *hung) expect(t *testing.T, bytes string) {
	t.Helper()
	if v := h.tenant.Show(t, "volume", "volumes/"+h.volume, "volume"); v["status"] != "available" || h.tenant.Sum(t, h.volume) != bytes {
		t.Errorf("the volume is %v, and may have other bytes than it should", v["status"])
	}
	if told := h.single.Result().NotKept; !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, h.server) && strings.Contains(s, "not there any more") }) {
		t.Errorf("the tenant is told %q", told)
	}
}

func TestBytesComeBackThoughTheServerIsGone(t *testing.T) {
	h := newHung(t)
	h.must(t, h.hooks.PrepareBegin, h.hooks.PrepareFinish)
	h.way.Before(t, http.MethodPost, "/volumes/"+h.volume+"/action$", h.dropServer(t))
	h.tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "volume.create", Fail: true, Times: 1})
	if err := h.single.Run(t, h.hooks.Main, h.call); err == nil {
		t.Fatal("it was overwritten")
	}
	if err := h.undo(t); err != nil {
		t.Errorf("undoing: %v", err)
	}
	h.must(t, h.hooks.Resume)
	h.expect(t, h.spoilt)
}

func TestVolumeIsRestoredInPlaceThoughItsServerIsGone(t *testing.T) {
	h := newHung(t)
	h.must(t, h.hooks.PrepareBegin, h.hooks.PrepareFinish)
	h.way.Before(t, http.MethodPost, "/volumes/"+h.volume+"/action$", h.dropServer(t))
	h.must(t, h.hooks.Main, h.hooks.Complete)
	h.expect(t, h.kept)
}

// TestVolumeThatIsOnAnotherServerByNowKeepsItsSnapshot has the tenant attach it there while it is off its own.
func TestVolumeThatIsOnAnotherServerByNowKeepsItsSnapshot(t *testing.T) {
	h := newHung(t)
	h.must(t, h.hooks.PrepareBegin, h.hooks.PrepareFinish, h.hooks.Main)
	other := server(t, h.tenant, h.volume)
	err := h.undo(t)
	if karbor.KindOf(err) != karbor.Conflict || karbor.IsTransient(err) || !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("undoing: %v", err)
	}
	if v := h.tenant.Show(t, "volume", "volumes/"+h.volume, "volume"); v["status"] != "in-use" {
		t.Errorf("the volume is %v", v["status"])
	}
}

// TestLockedServerEndsARestoreInPlaceAtOnce has Nova refuse to stop a locked server, as it does its owner, too, for ever.
func TestLockedServerEndsARestoreInPlaceAtOnce(t *testing.T) {
	for name, late := range map[string]bool{"before the restore": false, "as it is stopped": true} {
		t.Run(name, func(t *testing.T) {
			h := newHung(t)
			if late {
				h.way.Before(t, http.MethodPost, "/servers/"+h.server+"/action$", func() { h.act(t, "lock") })
			} else {
				h.act(t, "lock")
				look := *h.call
				forecast, err := h.hooks.Preflight(t.Context(), &look)
				if err != nil || len(forecast.Findings) != 1 || !strings.Contains(forecast.Findings[0].Message, "locked") {
					t.Errorf("foreseen is %+v, %v", forecast, err)
				}
			}
			err := h.single.Run(t, h.hooks.PrepareBegin, h.call)
			if karbor.KindOf(err) != karbor.Conflict || karbor.IsTransient(err) || !strings.Contains(err.Error(), "locked") || !strings.Contains(err.Error(), "unlock") {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}
