package retention_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/retention"
)

// zones are some with a clock that is changed, and some far from UTC.
var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Australia/Lord_Howe", "Asia/Kathmandu"}

// requests draws what can be asked.
func requests() *rapid.Generator[retention.Request] {
	return rapid.Custom(func(t *rapid.T) retention.Request {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		few := rapid.IntRange(0, 4)
		r := retention.Request{
			Now: time.Date(2026, 10, 25, rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC), Zone: zone,
			Rules: karbor.RetentionRules{
				MaxBackups: few.Draw(t, "number"), RetentionDuration: rapid.SampledFrom([]int{0, 0, 1, 7, 40}).Draw(t, "days"),
				Keep: karbor.KeepRules{
					Hourly: few.Draw(t, "hourly"), Daily: few.Draw(t, "daily"), Weekly: few.Draw(t, "weekly"),
					Monthly: few.Draw(t, "monthly"), Yearly: few.Draw(t, "yearly"), Minimum: few.Draw(t, "minimum"),
				},
				Manual: rapid.Bool().Draw(t, "manual"),
			},
		}
		// Minutes, hours, days or weeks apart: all in one hour, or over years.
		unit := rapid.SampledFrom([]time.Duration{7 * time.Minute, 55 * time.Minute, 5 * time.Hour, 23 * time.Hour, 200 * time.Hour}).Draw(t, "unit")
		n := rapid.IntRange(0, 24).Draw(t, "count")
		for i := range n {
			r.Checkpoints = append(r.Checkpoints, checkpoint(t, i, r.Now, unit))
		}
		if n > 0 && rapid.IntRange(0, 3).Draw(t, "run") == 0 {
			r.After = fmt.Sprintf("c%02d", rapid.IntRange(0, n).Draw(t, "after"))
		}
		return r
	})
}

// rarely draws true once in n times.
func rarely(t *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(t, what) == 1 }

func checkpoint(t *rapid.T, i int, now time.Time, unit time.Duration) retention.Checkpoint {
	c := retention.Checkpoint{
		ID: fmt.Sprintf("c%02d", i), Status: karbor.CheckpointAvailable, Scheduled: !rarely(t, 5, "by hand"),
		MadeAt: now.Add(-time.Duration(rapid.IntRange(1, 40).Draw(t, "age")) * unit),
	}
	if rarely(t, 8, "other state") {
		c.Status = rapid.SampledFrom([]karbor.CheckpointStatus{
			karbor.CheckpointError, karbor.CheckpointProtecting, karbor.CheckpointDeleting, karbor.CheckpointErrorDeleting,
		}).Draw(t, "state")
	}
	if rarely(t, 8, "held") {
		c.Held = "It is held."
	}
	if rarely(t, 10, "used") {
		c.InUse = "It is being restored."
	}
	if rarely(t, 10, "dated") {
		c.ExpiresAt = now.Add(time.Hour)
	}
	switch {
	case rarely(t, 6, "faulty"):
		c.Faulty = true
	case rarely(t, 4, "verified"):
		c.Verified = []string{rapid.SampledFrom([]string{"volume a", "volume b", "image c"}).Draw(t, "resource")}
	}
	return c
}

func TestDecideKeepsItsLaws(t *testing.T) {
	for name, law := range laws() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			r := requests().Draw(t, "request")
			if fault := law(retention.Decide, r); fault != "" {
				t.Fatalf("%s\n%+v", fault, r)
			}
		}))
	}
}

// planted are deciders with a bug each.
func planted() map[string]decider {
	change := func(f func(*retention.Checkpoint, *retention.Request)) decider {
		return func(r retention.Request) retention.Decision {
			own := append([]retention.Checkpoint(nil), r.Checkpoints...)
			r.Checkpoints = own
			for i := range own {
				f(&own[i], &r)
			}
			return retention.Decide(r)
		}
	}
	return map[string]decider{
		"keeps the oldest": change(func(c *retention.Checkpoint, r *retention.Request) {
			c.MadeAt = r.Now.Add(-r.Now.Sub(time.Unix(0, 0)) + r.Now.Sub(c.MadeAt))
		}),
		"forgets holds":                 change(func(c *retention.Checkpoint, _ *retention.Request) { c.Held = "" }),
		"forgets what is in use":        change(func(c *retention.Checkpoint, _ *retention.Request) { c.InUse = "" }),
		"drops the newest verified one": change(func(c *retention.Checkpoint, _ *retention.Request) { c.Verified = nil }),
		"takes faulty ones for good":    change(func(c *retention.Checkpoint, _ *retention.Request) { c.Faulty = false }),
		"takes all for scheduled":       change(func(c *retention.Checkpoint, _ *retention.Request) { c.Scheduled = true }),
		"ignores the zone": func(r retention.Request) retention.Decision {
			r.Zone = nil
			return retention.Decide(r)
		},
		"goes on after a failure": func(r retention.Request) retention.Decision {
			r.After = ""
			return retention.Decide(r)
		},
		"keeps one less": func(r retention.Request) retention.Decision {
			r.Rules.MaxBackups = max(r.Rules.MaxBackups-1, min(r.Rules.MaxBackups, 1))
			return retention.Decide(r)
		},
		"keeps too much": func(r retention.Request) retention.Decision {
			r.Rules.Keep.Daily++
			return retention.Decide(r)
		},
	}
}

func TestEachPlantedBugBreaksALaw(t *testing.T) {
	for name, decide := range planted() {
		t.Run(name, func(t *testing.T) {
			for seed := range 3000 {
				r := requests().Example(seed)
				for law, holds := range laws() {
					if fault := holds(decide, r); fault != "" {
						t.Logf("request %d: %s: %s", seed, law, fault)
						return
					}
				}
			}
			t.Error("no law is broken")
		})
	}
}

// daily gives n checkpoints, one a day at one o'clock, the newest yesterday.
func daily(now time.Time, n int) []retention.Checkpoint {
	var out []retention.Checkpoint
	for i := range n {
		out = append(out, retention.Checkpoint{
			ID: fmt.Sprintf("day-%02d", i+1), MadeAt: now.AddDate(0, 0, -i-1), Status: karbor.CheckpointAvailable, Scheduled: true,
		})
	}
	return out
}

func TestReasonsSayWhyEachStaysOrGoes(t *testing.T) {
	now := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	all := daily(now, 6)
	all[2].Scheduled = false
	all[3].Held = "It is held until 2027-01-01 00:00:00 UTC: audit."
	all[5].Verified = []string{"volume v"}
	all = append(all, retention.Checkpoint{ID: "day-07", MadeAt: now.AddDate(0, 0, -40), Status: karbor.CheckpointErrorDeleting, Scheduled: true})
	d := retention.Decide(retention.Request{Now: now, Checkpoints: all, Rules: karbor.RetentionRules{
		MaxBackups: 1, Keep: karbor.KeepRules{Weekly: 1, Minimum: 2},
	}})
	want := map[string]string{
		"day-01": "It is the newest good one. minimum_keep is 2. It is the newest of its week, and keep_weekly is 1. It is within the limits.",
		"day-02": "minimum_keep is 2.",
		"day-03": "It was made by hand, and not by a schedule.",
		"day-04": "It is held until 2027-01-01 00:00:00 UTC: audit.",
		"day-05": "- There are 3 newer ones, and max_backups is 1.",
		"day-06": "It is the newest one in which volume v was verified.",
		"day-07": "It is error-deleting, and only available ones go.",
	}
	got := map[string]string{}
	for _, v := range d.Verdicts {
		got[v.ID] = strings.Join(v.Reasons, " ")
		if v.Goes {
			got[v.ID] = "- " + got[v.ID]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || d.Refused != "" {
		t.Errorf("%s%s", d.Refused, diff)
	}
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 3, 0, 0, 0, 0, time.UTC)
	at := func(id string, hour int) retention.Checkpoint {
		return retention.Checkpoint{ID: id, MadeAt: time.Date(2026, 7, 1, hour, 0, 0, 0, time.UTC), Status: karbor.CheckpointAvailable, Scheduled: true}
	}
	r := retention.Request{
		Now: now, Zone: zone, Rules: karbor.RetentionRules{Keep: karbor.KeepRules{Daily: 2}},
		Checkpoints: []retention.Checkpoint{at("noon of the first", 0), at("evening of the first", 11), at("morning of the second", 13)},
	}
	if diff := cmp.Diff([]string{"noon of the first"}, retention.Decide(r).Gone()); diff != "" {
		t.Error(diff)
	}
	r.Zone = nil
	if diff := cmp.Diff([]string{"noon of the first", "evening of the first"}, retention.Decide(r).Gone()); diff != "" {
		t.Error(diff)
	}
}

func TestAnHourThatTheClockShowsTwiceIsTwoHours(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(id string, minute int) retention.Checkpoint {
		return retention.Checkpoint{ID: id, MadeAt: time.Date(2026, 10, 25, 0, minute, 0, 0, time.UTC), Status: karbor.CheckpointAvailable, Scheduled: true}
	}
	r := retention.Request{
		Now: time.Date(2026, 10, 25, 3, 0, 0, 0, time.UTC), Zone: zone, Rules: karbor.RetentionRules{Keep: karbor.KeepRules{Hourly: 2}},
		Checkpoints: []retention.Checkpoint{at("first 2:30", 30), at("second 2:30", 90)},
	}
	if gone := retention.Decide(r).Gone(); len(gone) > 0 {
		t.Errorf("%v go", gone)
	}
}
