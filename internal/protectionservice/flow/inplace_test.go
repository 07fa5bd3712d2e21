package flow

import (
	"context"
	"slices"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// reaches reports whether a step waits for another, directly or not.
func reaches(steps workflow.Steps, from, to string) bool {
	for _, s := range steps {
		if s.ID != from {
			continue
		}
		return slices.ContainsFunc(s.After, func(id string) bool { return id == to || reaches(steps, id, to) })
	}
	return false
}

func TestInPlaceNothingIsOverwrittenBeforeAllIsSafe(t *testing.T) {
	nothing := func(context.Context, *protection.Call) error { return nil }
	g := &karbor.Graph{}
	for _, id := range []string{"a", "b", "c"} {
		g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
	}
	steps := InPlace("p", g, func(karbor.ResourceType) protection.Hooks {
		return protection.Hooks{PrepareBegin: nothing, PrepareFinish: nothing, Main: nothing, Complete: nothing, Undo: nothing}
	})
	for _, a := range []string{"a", "b", "c"} {
		for _, b := range []string{"a", "b", "c"} {
			for _, pair := range [][2]string{{"main:volume/", "prepare_finish:volume/"}, {"complete:volume/", "main:volume/"}} {
				if !reaches(steps, pair[0]+a, pair[1]+b) {
					t.Errorf("%s%s does not wait for %s%s", pair[0], a, pair[1], b)
				}
			}
		}
		if !reaches(steps, "prepare_begin:volume/"+a, Safety) || !reaches(steps, End, "complete:volume/"+a) {
			t.Errorf("the hooks of %s are not between the safety checkpoint and the end", a)
		}
	}
	if !reaches(steps, Safety, Begin) {
		t.Error("the safety checkpoint is waited for before the beginning")
	}
}

func TestInPlaceNothingIsResumedBeforeAllIsUndone(t *testing.T) {
	nothing := func(context.Context, *protection.Call) error { return nil }
	g := &karbor.Graph{}
	for _, id := range []string{"a", "b"} {
		g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
	}
	steps := InPlace("p", g, func(karbor.ResourceType) protection.Hooks {
		return protection.Hooks{Main: nothing, Undo: nothing, Resume: nothing}
	})
	for _, a := range []string{"a", "b"} {
		for _, b := range []string{"a", "b"} {
			if !reaches(steps, "resume:volume/"+a, "undo:volume/"+b) {
				t.Errorf("%s is resumed before %s is undone", a, b)
			}
		}
		if !reaches(steps, Fail, "resume:volume/"+a) {
			t.Errorf("the end does not wait for %s to be resumed", a)
		}
	}
}
