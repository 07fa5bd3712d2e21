package karbor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTriggerPropertiesKeepTheFormOfTheWire(t *testing.T) {
	start := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]TriggerProperties{
		`{"format":"crontab","pattern":"0 2 * * *"}`: {Format: Crontab, Pattern: "0 2 * * *"},
		`{"format":"calendar","pattern":"a\nb \\n","start_time":"2026-12-01 06:00:00","end_time":"2026-12-01 06:00:01","window":"900"}`: {
			Format: Calendar, Pattern: "a\nb \\n", StartTime: start, EndTime: start.Add(time.Second), Window: 15 * time.Minute},
	} {
		var p TriggerProperties
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		back, err := json.Marshal(p)
		if diff := cmp.Diff(want, p); diff != "" || err != nil || string(back) != text {
			t.Errorf("%s came back as %s, %v (-want +got):\n%s", text, back, err, diff)
		}
	}
	var p TriggerProperties
	if err := json.Unmarshal([]byte(`{"window": 900, "start_time": null, "end_time": "", "pattern": "x"}`), &p); err != nil || p.Window != 15*time.Minute {
		t.Errorf("a number for a window and no times: %+v, %v", p, err)
	}
}

func TestTriggerPropertiesNameWhatCanNotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"start_time": "1969-12-31 23:59:59"}`:            "properties.start_time: the year",
		`{"end_time": "2026-02-30 00:00:00"}`:              `properties.end_time: "2026-02-30 00:00:00" is not a time`,
		`{"end_time": "` + strings.Repeat("x", 200) + `"}`: strings.Repeat("x", 80) + "…",
		`{"window": 0}`:                      "properties.window",
		`{"window": "-1"}`:                   "properties.window",
		`{"window": 1.5}`:                    "1.5 is not a whole number",
		`{"window": "99999999999999999999"}`: "is not a whole number",
		`{"window": true}`:                   "true is not a whole number",
		`{"window": 99999999999}`:            "out of range",
	} {
		var p TriggerProperties
		if err := json.Unmarshal([]byte(text), &p); KindOf(err) != Invalid || !strings.Contains(Sentence(err), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

func TestOperationDefinitionKeepsTheFormOfTheWire(t *testing.T) {
	for text, want := range map[string]OperationDefinition{
		`{"plan_id":"p","provider_id":"b"}`:                                             {PlanID: "p", ProviderID: "b"},
		`{"plan_id":"p","provider_id":"b","max_backups":"7","retention_duration":"30"}`: {PlanID: "p", ProviderID: "b", MaxBackups: 7, RetentionDuration: 30},
		`{"plan_id":"p","provider_id":"b","keep_hourly":"1","keep_daily":"2","keep_weekly":"3","keep_monthly":"4","keep_yearly":"5","minimum_keep":"6","include_manual":"true"}`: {
			PlanID: "p", ProviderID: "b", Keep: KeepRules{Hourly: 1, Daily: 2, Weekly: 3, Monthly: 4, Yearly: 5, Minimum: 6}, Manual: true,
		},
		`{"provider_id":"b","order":"newest","share":"10","depth":"full"}`: {
			ProviderID: "b", Selection: Selection{Order: NewestFirst, Share: 10}, Depth: "full",
		},
		`{"plan_id":"p","provider_id":"b","checkpoints":"3","targets":["far"],"checkpoint_ids":["c"]}`: {
			PlanID: "p", ProviderID: "b", Selection: Selection{Checkpoints: 3}, Targets: []string{"far"}, CheckpointIDs: []string{"c"},
		},
		`{"provider_id":"b","order":"longest_undrilled","probes":{"active":{},"volume":{"digest":false},"port":{"port":22,"timeout":300}}}`: {
			ProviderID: "b", Selection: Selection{Order: OldestDrilled},
			Probes: &DrillProbes{Active: &ActiveProbe{}, Volume: &VolumeProbe{}, Port: &PortProbe{Port: 22, Timeout: 300}},
		},
	} {
		var d OperationDefinition
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		if back, err := json.Marshal(d); !cmp.Equal(d, want) || err != nil || string(back) != text {
			t.Errorf("%s became %+v and %s, %v", text, d, back, err)
		}
	}
	var d OperationDefinition
	usual := DefaultDrillProbes()
	if err := json.Unmarshal([]byte(`{"probes": {"active": {}, "console": {}, "volume": {}, "port": null}}`), &d); err != nil || !cmp.Equal(d.Probes, &usual) {
		t.Errorf("what is missing of probes is %+v, %v", d.Probes, err)
	}
	if err := json.Unmarshal([]byte(`{"max_backups": 7, "retention_duration": null}`), &d); err != nil || d.MaxBackups != 7 {
		t.Errorf("a number and a null: %+v, %v", d, err)
	}
	if err := json.Unmarshal([]byte(`{"max_backups": "all"}`), &d); KindOf(err) != Invalid {
		t.Errorf("a word for a number: %v", err)
	}
	for text, want := range map[string]bool{`true`: true, `false`: false, `"True"`: true, `"false"`: false, `null`: false} {
		var d OperationDefinition
		if err := json.Unmarshal([]byte(`{"include_manual": `+text+`}`), &d); err != nil || d.Manual != want {
			t.Errorf("include_manual %s: %v, %v", text, d.Manual, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"include_manual": "perhaps"}`), &d); KindOf(err) != Invalid {
		t.Errorf("a word for a truth: %v", err)
	}
}

func TestAServiceIsUpUntilItsDownTime(t *testing.T) {
	now := time.Now()
	for age, want := range map[time.Duration]bool{0: true, 59 * time.Second: true, time.Minute: false, -time.Second: true} {
		s := Service{UpdatedAt: now.Add(-age)}
		if got := s.Up(now, time.Minute); got != want {
			t.Errorf("%v after its report: %t", age, got)
		}
	}
}
