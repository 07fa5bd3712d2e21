package volumeglance_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// small is a case of volumes of few bytes, with the way to the cloud on which they are.
func small(t *testing.T) (protectiontest.Case, *protectiontest.Pretending, *protectiontest.Tenant) {
	t.Helper()
	tenant, way := protectiontest.NewTenant(t), &protectiontest.Pretending{Base: newMiniature()}
	maker := tenant.Through(t, &http.Client{Transport: way})
	return protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Transport: way,
		Inventory: maker.Inventory, Installation: "here",
		Make: func(t *testing.T) protectiontest.Source { return source(t, maker) },
	}, way, maker
}

// of gives what has the cloud say that things have a state, or another member: those that Karbor has made for a while,
// or those that a restore is to leave.
func of(temporary bool, member string, value any) func(members map[string]any) {
	return func(members map[string]any) {
		if name := fmt.Sprint(members["name"]); strings.HasPrefix(name, "karbor-") == temporary {
			members[member] = value
		}
	}
}

func TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		what   karbor.OperationType
		path   string
		change func(members map[string]any)
		kind   karbor.Kind
		words  []string
	}{
		"a snapshot in error":                 {karbor.Protect, "/snapshots/", of(true, "status", "error"), karbor.Conflict, []string{"snapshot", `"error"`}},
		"a snapshot that stays in creation":   {karbor.Protect, "/snapshots/", of(true, "status", "creating"), karbor.Unavailable, []string{"snapshot", `"creating"`}},
		"a temporary volume in error":         {karbor.Protect, "/volumes/", of(true, "status", "error"), karbor.Conflict, []string{"volume", `"error"`}},
		"a temporary volume that stays":       {karbor.Protect, "/volumes/", of(true, "status", "creating"), karbor.Unavailable, []string{"volume", `"creating"`}},
		"an upload that fails":                {karbor.Protect, "/images/[^/]+$", of(true, "status", "killed"), karbor.Conflict, []string{"image", `"killed"`}},
		"an upload that is deactivated":       {karbor.Protect, "/images/[^/]+$", of(true, "status", "deactivated"), karbor.Conflict, []string{"image", `"deactivated"`}},
		"an upload that does not begin":       {karbor.Protect, "/images/[^/]+$", of(true, "status", "queued"), karbor.Unavailable, []string{"image", `"queued"`}},
		"an upload that does not end":         {karbor.Protect, "/images/[^/]+$", of(true, "status", "saving"), karbor.Unavailable, []string{"image", `"saving"`}},
		"a restored volume in error":          {karbor.RestoreOperation, "/volumes/", of(false, "status", "error"), karbor.Conflict, []string{"volume", `"error"`}},
		"a restored volume that stays":        {karbor.RestoreOperation, "/volumes/", of(false, "status", "downloading"), karbor.Unavailable, []string{"volume", `"downloading"`}},
		"an image of a restore that fails":    {karbor.RestoreOperation, "/images/[^/]+$", of(true, "status", "killed"), karbor.Conflict, []string{"image", `"killed"`}},
		"an image of a restore that stays":    {karbor.RestoreOperation, "/images/[^/]+$", of(true, "status", "saving"), karbor.Unavailable, []string{"image", `"saving"`}},
		"a temporary image that is deleted":   {karbor.RestoreOperation, "/images/[^/]+$", of(true, "status", "pending_delete"), karbor.NotFound, []string{"image", "was deleted"}},
		"a state that nobody has heard of":    {karbor.Protect, "/snapshots/", of(true, "status", "odd"), karbor.Conflict, []string{"snapshot", `"odd"`}},
		"a volume that comes to be in use":    {karbor.RestoreOperation, "/volumes/", of(false, "status", "in-use"), karbor.Conflict, []string{"volume", `"in-use"`}},
		"a restored volume in error deleting": {karbor.RestoreOperation, "/volumes/", of(false, "status", "error_deleting"), karbor.Conflict, []string{"volume", `"error_deleting"`}},
	} {
		t.Run(name, func(t *testing.T) {
			one, way, _ := small(t)
			err := protectiontest.Spoilt(t, one, c.what, func() { way.Told(c.kind)(c.path, c.change) }, func() {
				if way.Stop() == 0 {
					t.Error("nothing was looked at")
				}
			})
			protectiontest.ExpectRefusal(t, err, c.kind, c.words...)
			if told := karbor.Sentence(err); !strings.Contains(told, c.words[0]) || !strings.Contains(told, c.words[1]) {
				t.Errorf("the tenant reads %q", told)
			}
		})
	}
}

// TestImageWithOtherBytesThanTheProtectedIsNeverMadeAVolumeOf has Glance have another digest of what was uploaded.
func TestImageWithOtherBytesThanTheProtectedIsNeverMadeAVolumeOf(t *testing.T) {
	for member, value := range map[string]any{"os_hash_value": strings.Repeat("0", 128), "size": 1.0} {
		t.Run(member, func(t *testing.T) {
			one, way, _ := small(t)
			err := protectiontest.Spoilt(t, one, karbor.RestoreOperation, func() { way.Say("/images/[^/]+$", of(true, member, value)) }, func() { way.Stop() })
			if !karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "does not have the size and digest") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	one, _, _ := small(t)
	one.Transport = protectiontest.Doubling{Base: one.Transport}
	protectiontest.RoundTrip(t, one)
}

// TestWhatTheCloudDoesNotDeleteFailsNoCheckpointWhoseBytesAreKept has something temporary stay in error_deleting
// from when the bytes are in the bank.
func TestWhatTheCloudDoesNotDeleteFailsNoCheckpointWhoseBytesAreKept(t *testing.T) {
	for name, path := range map[string]string{"the temporary volume": "/volumes/", "the snapshot": "/snapshots/"} {
		t.Run(name, func(t *testing.T) {
			one, way, maker := small(t)
			s := one.Make(t)
			single := protectiontest.NewSingle(one.Plugin, s)
			call := single.Begin(maker.Session(t, &http.Client{Transport: way}), nil, nil)
			hooks := one.Plugin.Hooks(karbor.Protect, karbor.VolumeType)
			if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
				t.Fatal(err)
			}
			data := &committed{Repository: call.Data, then: func() { way.Say(path, of(true, "status", "error_deleting")) }}
			call.Data = data
			if err := single.Run(t, hooks.Main, call); err != nil {
				t.Fatalf("the bytes are kept, and the checkpoint fails: %v", err)
			}
			if told := single.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], `"error_deleting"`) || !strings.Contains(told[0], "quota") {
				t.Errorf("the tenant is told %q", told)
			}
			if err := call.Documents.GetJSON(t.Context(), "metadata", &struct{}{}); err != nil {
				t.Errorf("the document: %v", err)
			}
		})
	}
}

// TestATemporaryVolumeThatIsSlowToGoFailsNoCheckpointWhoseBytesAreKept has it stay in deleting.
func TestATemporaryVolumeThatIsSlowToGoFailsNoCheckpointWhoseBytesAreKept(t *testing.T) {
	one, way, maker := small(t)
	s := one.Make(t)
	single := protectiontest.NewSingle(one.Plugin, s)
	call := single.Begin(maker.Session(t, &http.Client{Transport: way}), nil, nil)
	hooks := one.Plugin.Hooks(karbor.Protect, karbor.VolumeType)
	if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	call.Data = &committed{Repository: call.Data, then: func() { way.Stay("/volumes/", of(true, "status", "deleting")) }}
	if err := single.Run(t, hooks.Main, call); err != nil {
		t.Errorf("the bytes are kept, and the checkpoint fails: %v", err)
	}
}

// TestAnErrorThatPassesBehindTheCommitIsNotTakenForOneThatLasts has the volume stay, and the list of snapshots fail.
func TestAnErrorThatPassesBehindTheCommitIsNotTakenForOneThatLasts(t *testing.T) {
	one, way, maker := small(t)
	s := one.Make(t)
	single := protectiontest.NewSingle(one.Plugin, s)
	call := single.Begin(maker.Session(t, &http.Client{Transport: way}), nil, nil)
	hooks := one.Plugin.Hooks(karbor.Protect, karbor.VolumeType)
	if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	call.Data = &committed{Repository: call.Data, then: func() {
		way.Say("/volumes/", of(true, "status", "error_deleting"))
		maker.Fault(t, fabric.Fault{Service: "cinder", Method: http.MethodGet, Path: "/snapshots", Status: http.StatusServiceUnavailable})
	}}
	ctx := openstack.WithPatience(t.Context(), 0)
	if err := hooks.Main(ctx, call); !karbor.IsTransient(err) {
		t.Errorf("the snapshot of the tenant's volume is left: %v", err)
	}
}

// committed is a repository with whose first commit something happens.
type committed struct {
	protection.Repository
	then func()
}

func (c *committed) Create(ctx context.Context, name string) (protection.Writer, error) {
	w, err := c.Repository.Create(ctx, name)
	return committing{w, c.then}, err
}

type committing struct {
	protection.Writer
	then func()
}

func (c committing) Commit(ctx context.Context) (protection.Summary, error) {
	summary, err := c.Writer.Commit(ctx)
	c.then()
	return summary, err
}
