package outcome

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// shop is a project with a server, s, on a volume, v, and another volume, w.
func shop() *karbor.Graph {
	g := &karbor.Graph{}
	project := g.Add(karbor.Resource{Type: karbor.ProjectType, ID: "p"}, "")
	server := g.Add(karbor.Resource{Type: karbor.ServerType, ID: "s"}, "")
	g.Connect(project, server)
	g.Connect(server, g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "v"}, ""))
	g.Connect(project, g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "w"}, ""))
	return g
}

// rows are records of all nodes of a graph in a state.
func rows(g *karbor.Graph, state karbor.ResourceState) []store.ResourceRecord {
	out := make([]store.ResourceRecord, 0, len(g.Nodes()))
	for _, n := range g.Nodes() {
		out = append(out, store.ResourceRecord{Key: n.Key(), State: state})
	}
	return out
}

func TestEachResourceOfAFailureHasItsReason(t *testing.T) {
	g := shop()
	f := Sort(g, &workflow.Failure{Steps: []workflow.StepError{
		{Step: "main:volume/v", Sentence: "Cinder is full"},
		{Step: "main:volume/w", Sentence: "Cinder is full"},
		{Step: "undo:volume/w", Sentence: "it is in use"},
	}})
	if got, want := f.Text(), "Cinder is full; what was made could not be removed: it is in use"; got != want {
		t.Errorf("the text is %q, want %q", got, want)
	}
	records := rows(g, karbor.ResourceRestoring)
	records[3].NewID = "w2"
	f.Kept = map[karbor.NodeKey]bool{"server/s": true}
	records[1].State = karbor.ResourceAvailable
	records[1].NewID = "s2"
	o := Failed(karbor.RestoreOperation)
	f.Explain(&o, g, records)
	if diff := cmp.Diff(map[string]string{
		"OS::Keystone::Project#p": "stopped, as the operation failed elsewhere",
		"OS::Nova::Server#s2":     "it is restored, and was kept, as it was asked for, when the restore failed elsewhere",
		"OS::Cinder::Volume#v":    "Cinder is full",
		"OS::Cinder::Volume#w":    "Cinder is full; what was made could not be removed: it is in use; the new volume w2 is left",
	}, o.ResourcesReason); diff != "" {
		t.Error(diff)
	}
	if o.RestoreStatus != karbor.RestoreFail || o.ResourcesStatus["OS::Nova::Server#s2"] != karbor.ResourceAvailable {
		t.Errorf("it ends as %s with %v", o.RestoreStatus, o.ResourcesStatus)
	}
	if diff := cmp.Diff(map[karbor.NodeKey]string{"volume/w": "it is in use"}, f.Left()); diff != "" {
		t.Error(diff)
	}
}

func TestAFailureOfNoResourceIsEachOnesReason(t *testing.T) {
	g := shop()
	for _, f := range []Failures{
		Sort(g, &workflow.Failure{Steps: []workflow.StepError{{Step: "begin", Sentence: "no"}}}),
		Sort(g, &workflow.Failure{Cancelled: "no"}),
	} {
		o := Failed(karbor.Protect)
		f.Explain(&o, g, rows(g, karbor.ResourceProtecting))
		for key, reason := range o.ResourcesReason {
			if reason != "no" || f.Text() != "no" {
				t.Errorf("%s: %q, of %q", key, reason, f.Text())
			}
		}
		if len(o.ResourcesReason) != 4 || o.CheckpointStatus != karbor.CheckpointError {
			t.Errorf("it ends as %s with %v", o.CheckpointStatus, o.ResourcesReason)
		}
	}
}

func TestWhatNeedsSomethingFaultyIsNotGoodAndAProjectNeedsNothing(t *testing.T) {
	g := shop()
	records := rows(g, karbor.ResourceVerified)
	if o := Verified(g, records); o.VerificationStatus != karbor.VerificationSuccess || o.ErrorInfo != "" {
		t.Errorf("what is good ends as %s: %s", o.VerificationStatus, o.ErrorInfo)
	}
	records[2].State, records[2].Reason = karbor.ResourceError, "a pack is damaged"
	o := Verified(g, records)
	if diff := cmp.Diff(map[string]string{
		"OS::Cinder::Volume#v": "a pack is damaged",
		"OS::Nova::Server#s":   "it needs the volume v, which is not good",
	}, o.ResourcesReason); diff != "" {
		t.Error(diff)
	}
	if o.VerificationStatus != karbor.VerificationError || o.ErrorInfo != "a pack is damaged" {
		t.Errorf("it ends as %s: %s", o.VerificationStatus, o.ErrorInfo)
	}
}

func TestWhatWasNewIsToldToNobodyWhereDataIsShared(t *testing.T) {
	g := shop()
	records := rows(g, karbor.ResourceAvailable)
	records[2].Total, records[2].New, records[2].Stored = 10, 4, 3
	four, three := int64(4), int64(3)
	if diff := cmp.Diff(map[string]karbor.Figures{"OS::Cinder::Volume#v": {Size: 10, New: &four, Stored: &three}}, Figures(g, records, false)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]karbor.Figures{"OS::Cinder::Volume#v": {Size: 10}}, Figures(g, records, true)); diff != "" {
		t.Error(diff)
	}
}
