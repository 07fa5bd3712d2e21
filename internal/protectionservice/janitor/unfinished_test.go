package janitor

import (
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// unfinished gives what a restore that nobody knows has not finished.
func unfinished() Thing {
	call := protection.Call{Owner: someone, Installation: ours, Node: &karbor.Node{Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume}}}
	return Thing{
		Kind: Volume, ID: "unfinished", Name: "shop data", ProjectID: "project", Status: "available",
		CreatedAt: noon.Add(-age), Tags: call.RestoringTags(),
	}
}

func TestWhatAnUnknownRestoreHasNotFinishedGoesOnlyByTheOperatorsWord(t *testing.T) {
	for name, c := range map[string]struct {
		q     Query
		stays bool
	}{
		"only looked for":              {Query{}, true},
		"removing what is left":        {Query{Remove: true}, true},
		"not removing":                 {Query{Unfinished: true}, true},
		"removing it in so many words": {Query{Remove: true, Unfinished: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(unfinished())
			findings, err := w.janitor(t).Round(t.Context(), c.q)
			if err != nil || len(findings) != 1 || findings[0].Spared != "" || findings[0].Removed == c.stays || len(w.things) == 1 != c.stays {
				t.Errorf("%+v, %v, and %d things are there", findings, err, len(w.things))
			}
		})
	}
}

func TestWhatLooksUnfinishedAndHasSomebodyToAskStays(t *testing.T) {
	for name, change := range map[string]func(w *world, t *Thing){
		"whole":                               func(_ *world, t *Thing) { delete(t.Tags, protection.RestoringTag) },
		"of another Karbor":                   func(_ *world, t *Thing) { t.Tags[protection.RestoringTag] = theirs },
		"of a restore that goes on":           func(w *world, _ *Thing) { w.owners[someone] = true },
		"of a restore that kept what it made": func(_ *world, t *Thing) { t.Tags[protection.CheckpointTag] = "c0000000-0000-4000-8000-000000000001" },
		"while the database does not answer":  func(w *world, _ *Thing) { w.silent = true },
		"without a restore":                   func(_ *world, t *Thing) { delete(t.Tags, protection.CheckpointTag) },
		"attached":                            func(_ *world, t *Thing) { t.Used = "it is attached" },
		"in transition":                       func(_ *world, t *Thing) { t.Status = "creating" },
		"young":                               func(_ *world, t *Thing) { t.CreatedAt = noon.Add(-time.Hour) },
		"finished between the look and the end": func(w *world, t *Thing) {
			w.shown = func(w *world) {
				now := w.things[t.ID]
				now.Tags = map[string]string{protection.CheckpointTag: someone, protection.ResourceTag: volume}
				w.things[t.ID] = now
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			thing := unfinished()
			w := newWorld()
			change(w, &thing)
			w.things[thing.ID] = thing
			findings, err := w.janitor(t).Round(t.Context(), Query{Remove: true, Unfinished: true})
			if err != nil || len(w.things) != 1 || slices.ContainsFunc(findings, func(f Finding) bool { return f.Spared == "" || f.Removed }) {
				t.Errorf("%+v, %v, and %d things are there", findings, err, len(w.things))
			}
		})
	}
}
