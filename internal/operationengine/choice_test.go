package operationengine

import (
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor"
)

// take lets time pass until a run of a scheduled operation has come, ends it, and gives on how
// many checkpoints it worked.
func (s *site) take(t *testing.T, o karbor.ScheduledOperation, n *node, d time.Duration) int {
	t.Helper()
	s.advance(d)
	n.step(t.Context())
	for range 20 {
		s.advance(time.Second)
		s.finish(t, nil)
		n.step(t.Context())
	}
	r := s.last(t, o)
	if r.State != karbor.RunSuccess {
		t.Fatalf("the run at %s is %s: %s", r.ExpectedAt, r.State, r.Reason)
	}
	return len(r.Operations)
}

func TestAShareIsThatOfADayWhateverRunsItHas(t *testing.T) {
	const quarter = 6*time.Hour - 20*time.Second
	for _, test := range []struct {
		name    string
		kind    karbor.ScheduledOperationType
		pattern string
		zone    string
		share   int
		pauses  []time.Duration
		want    []int
	}{
		// Of ten checkpoints a half each day, spread over its four runs: from 0:30 on three are left today.
		{"four times a day", karbor.ScheduledVerify, "0 */6 * * *", "", 50, []time.Duration{5*time.Hour + 30*time.Minute, quarter, quarter, quarter, quarter, quarter, quarter, quarter}, []int{2, 2, 1, 2, 1, 1, 1, 2}},
		{"drills four times a day", karbor.ScheduledDrill, "0 */6 * * *", "", 50, []time.Duration{5*time.Hour + 30*time.Minute, quarter, quarter, quarter}, []int{2, 2, 1, 2}},
		{"once a day", karbor.ScheduledVerify, "0 6 * * *", "", 25, []time.Duration{5*time.Hour + 30*time.Minute, 24*time.Hour - 20*time.Second}, []int{3, 3}},
		// Less than one for each run: the first one has it.
		{"more often than there are", karbor.ScheduledVerify, "0 * * * *", "", 10, []time.Duration{hour, time.Hour - 20*time.Second}, []int{1, 0}},
		// The day ends at midnight there, half an hour before 19:00 in London.
		{"the day of the zone", karbor.ScheduledVerify, "0,30 0 * * *", "Asia/Kolkata", 20, []time.Duration{18 * time.Hour, hour - 20*time.Second}, []int{1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, midnight)
			s.checkpoints(t, 10)
			o := s.proof(t, "p", test.kind, karbor.Selection{Share: test.share},
				karbor.TriggerProperties{Format: karbor.Crontab, Pattern: test.pattern, Timezone: test.zone})
			n, got := immortal(s, "a"), []int{}
			for _, d := range test.pauses {
				got = append(got, s.take(t, o, n, d))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("the runs work on %v checkpoints, want %v", got, test.want)
			}
		})
	}
}

func TestTheRunsOfADayTakeDifferentCheckpoints(t *testing.T) {
	const quarter = 6*time.Hour - 20*time.Second
	for _, test := range []struct {
		name  string
		kind  karbor.ScheduledOperationType
		order karbor.SelectionOrder
		// days are which of the ten checkpoints two days take, 0 being the newest.
		days [2][]int
	}{
		{"a drill", karbor.ScheduledDrill, "", [2][]int{{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}}},
		{"a drill of the longest undrilled", karbor.ScheduledDrill, karbor.OldestDrilled, [2][]int{{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}}},
		{"a drill of the newest", karbor.ScheduledDrill, karbor.NewestFirst, [2][]int{{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}}},
		{"a verification", karbor.ScheduledVerify, "", [2][]int{{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}}},
		{"a verification of the newest", karbor.ScheduledVerify, karbor.NewestFirst, [2][]int{{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, midnight)
			ids := s.checkpoints(t, 10)
			slices.Reverse(ids)
			o := s.proof(t, "p", test.kind, karbor.Selection{Order: test.order, Share: 50},
				karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 */6 * * *"})
			n := immortal(s, "a")
			pauses := [2][]time.Duration{{5*time.Hour + 30*time.Minute, quarter, quarter}, {quarter, quarter, quarter, quarter}}
			for day, all := range pauses {
				var got []int
				for _, d := range all {
					s.take(t, o, n, d)
					for _, v := range s.last(t, o).Operations {
						got = append(got, slices.Index(ids, v.CheckpointID))
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, test.days[day]) {
					t.Errorf("day %d takes %v, want %v", day, got, test.days[day])
				}
			}
		})
	}
}

func TestARunOfADayWhoseShareIsDoneSaysSo(t *testing.T) {
	s := newSite(t, midnight)
	s.checkpoints(t, 3)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, karbor.Selection{Share: 30}, hourly), immortal(s, "a")
	s.take(t, o, n, hour)
	if _, err := s.store.RunNow(t.Context(), "p", o.ID); err != nil {
		t.Fatal(err)
	}
	s.take(t, o, n, 0)
	s.want(t, o, karbor.RunSuccess, "the share of the day is done: 1 operations have begun")
}
