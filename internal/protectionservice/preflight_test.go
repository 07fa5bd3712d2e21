package protectionservice_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

func (s *shop) look(c karbor.RestoreChoices) (preflight.Report, error) {
	return s.service.Preflight(s.t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: s.checkpoint, Choices: c,
	})
}

func TestALookAheadTellsTheWorstFirstAndStoresNothing(t *testing.T) {
	s := newShop(t)
	s.script.set(karbor.RestoreOperation, karbor.ServerType, protection.Hooks{
		Complete: s.restoreOne,
		Preflight: func(ctx context.Context, c *protection.Call) (*protection.Forecast, error) {
			if c.NewResources.Set(ctx, "x") == nil || c.NewResources.SetPart(ctx, "a", "b") == nil || c.Scratch.Save(ctx, 1) == nil {
				t.Error("a look ahead can record something")
			}
			f := protection.NewForecast(c)
			c.Mapped("It is elsewhere.")
			err := f.Look(ctx, "Do this.", func(context.Context) error {
				c.NotKept("It has no key.")
				c.NotKept("It has no key.")
				return karbor.Errorf(karbor.FailedDependency, "%s needs what is not there", c.Node.ID)
			})
			return f, err
		},
	})
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: s.restoreOne,
		Preflight: func(_ context.Context, c *protection.Call) (*protection.Forecast, error) {
			if c.Node.ID == "v3" {
				return nil, karbor.Errorf(karbor.Internal, "its document is damaged")
			}
			return protection.NewForecast(c), nil
		},
	})
	found, err := s.look(karbor.RestoreChoices{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found.Findings {
		got = append(got, strings.Join([]string{string(f.Severity), f.Resource, f.Message, f.Remedy}, "|"))
	}
	want := []string{
		"error|" + server1 + "|s1 needs what is not there|Do this.",
		"error|" + server2 + "|s2 needs what is not there|Do this.",
		"error|" + volume3 + "|its document is damaged|Verify the checkpoint, or restore without this resource.",
		"warning|" + server1 + "|It has no key.|Do this.",
		"warning|" + server2 + "|It has no key.|Do this.",
		"info|" + server1 + "|It is elsewhere.|",
		"info|" + server2 + "|It is elsewhere.|",
	}
	if diff := cmp.Diff(want, got); diff != "" || found.Ready() {
		t.Errorf("ready: %t, findings (-want +got):\n%s", found.Ready(), diff)
	}
	if found, err := s.look(karbor.RestoreChoices{Resources: []string{volume1}}); err != nil || !found.Ready() || len(found.Findings) != 0 {
		t.Errorf("a part that is in order gives %v, %v", found, err)
	}
	if _, err := s.look(karbor.RestoreChoices{Resources: []string{"OS::Cinder::Volume#v9"}}); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("what can't start gives %v", err)
	}
	if granted, _ := s.authority.counts(); granted != 1 {
		t.Errorf("%d delegations were made; only the checkpoint needs one", granted)
	}
}

func TestALookAheadThatFindsNoAnswerSaysSo(t *testing.T) {
	s := newShop(t)
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{
		Main: s.restoreOne,
		Preflight: func(context.Context, *protection.Call) (*protection.Forecast, error) {
			return nil, karbor.Transientf("the cloud does not answer now")
		},
	})
	if _, err := s.look(karbor.RestoreChoices{}); !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

// TestALookAheadReadsOnceHowLargeAThingMayBe has three volumes that are restored as shares of 5, 6 and 7 GiB.
func TestALookAheadReadsOnceHowLargeAThingMayBe(t *testing.T) {
	s, there := newShop(t), cloudtest.Start(t)
	caller := s.caller()
	caller.Cloud = there.Tenant("alpha", "member")
	sizes := map[string]int64{"v1": 5, "v2": 6, "v3": 7}
	s.script.set(karbor.RestoreOperation, karbor.VolumeType, protection.Hooks{Main: s.restoreOne, Preflight: func(_ context.Context, c *protection.Call) (*protection.Forecast, error) {
		f := protection.NewForecast(c)
		f.NeedSize(protection.NeedShareSize, 1)
		f.NeedSize(protection.NeedShareSize, sizes[c.Node.ID])
		f.NeedSize(protection.NeedCores, 1000) // which bounds no single thing
		return f, nil
	}})
	finding := func(key, has string) string {
		return key + `|the quota "per_share_gigabytes" does not suffice: the volume has ` + has + " GiB, and 5 are allowed|Have the quota raised, or restore without this volume."
	}
	for most, want := range map[int][]string{5: {finding(volume2, "6"), finding(volume3, "7")}, 7: nil, -1: nil} {
		there.Quotas().Set(caller.Cloud.ProjectID(), "per_share_gigabytes", most)
		there.Requests().Reset()
		found, err := s.service.Preflight(t.Context(), caller, protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: s.checkpoint})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found.Findings {
			got = append(got, strings.Join([]string{f.Resource, f.Message, f.Remedy}, "|"))
		}
		slices.Sort(got) // they are in the order of the graph
		if diff := cmp.Diff(want, got); diff != "" || found.Ready() != (want == nil) {
			t.Errorf("of %d GiB at most: ready %t (-want +got):\n%s", most, found.Ready(), diff)
		}
		if asked := there.Requests().Counts()["manila GET /share/v2/quota-sets/{target}/detail"]; asked != 1 {
			t.Errorf("of %d GiB at most, Manila was asked %d times", most, asked)
		}
	}
	if _, err := there.Faults().Add(fabric.Fault{Service: "manila", Path: "/quota-sets/", Status: 400}); err != nil {
		t.Fatal(err)
	}
	found, err := s.service.Preflight(t.Context(), caller, protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: s.checkpoint})
	if err != nil || len(found.Findings) != 1 || !found.Ready() || !strings.Contains(found.Findings[0].Remedy, "per_share_gigabytes") {
		t.Errorf("of a Manila that refuses the look: %+v, %v", found, err)
	}
}

// TestALookAheadCountsWhatAllResourcesNeedTogether has each of three volumes need as much of two quotas as is there.
func TestALookAheadCountsWhatAllResourcesNeedTogether(t *testing.T) {
	s, there := newShop(t), cloudtest.Start(t)
	tenant := there.Tenant("alpha", "member")
	need := func(what protection.Need) protection.Hooks {
		return protection.Hooks{Main: s.restoreOne, Preflight: func(_ context.Context, c *protection.Call) (*protection.Forecast, error) {
			f := protection.NewForecast(c)
			f.Need(what, 20)
			f.NeedOnce(protection.NeedRouters, "r")
			return f, nil
		}}
	}
	look := func() []string {
		t.Helper()
		caller := s.caller()
		caller.Cloud = tenant
		found, err := s.service.Preflight(t.Context(), caller, protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: s.checkpoint})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range found.Findings {
			out = append(out, strings.Join([]string{string(f.Severity), f.Resource, f.Message, f.Remedy}, "|"))
		}
		return out
	}
	const remedy = "Remove what you no longer need, have the quota raised, or restore fewer resources."
	for what, kept := range map[protection.Need]string{protection.NeedShares: "shares", protection.NeedShareGigabytes: "share_gigabytes", protection.NeedVolumes: "volumes"} {
		s.script.set(karbor.RestoreOperation, karbor.VolumeType, need(what))
		there.Quotas().Set(tenant.ProjectID(), kept, 60)
		if got := look(); len(got) > 0 {
			t.Errorf("with enough of %s: %q", what, got)
		}
		there.Quotas().Set(tenant.ProjectID(), kept, 59)
		want := []string{"error||the quota " + what.String() + " does not suffice: the restore needs 60, and 59 of 59 are left|" + remedy}
		if diff := cmp.Diff(want, look()); diff != "" {
			t.Errorf("with too little of %s (-want +got):\n%s", what, diff)
		}
	}
}
