package v1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const triggerBody = `{"trigger_info": {"name": "nightly", "type": "time", "properties":
 {"format": "crontab", "pattern": "0 2 * * *", "start_time": "2026-12-01 00:00:00", "end_time": "2027-12-01T00:00:00Z", "window": 1200}}}`

// trigger makes a trigger and gives its id.
func (w *world) trigger(t testing.TB, token string) string {
	t.Helper()
	return w.call(t, token, "POST", "/triggers", triggerBody).want(t, 200).str("trigger_info.id")
}

// triggerItems are the calls of the triggers' routes.
func (w *world) triggerItems(t *testing.T, token string) []item {
	t.Helper()
	one := "/triggers/" + w.trigger(t, token)
	return []item{
		{method: "POST", path: "/triggers", body: triggerBody, writes: true},
		{method: "GET", path: "/triggers"},
		{method: "GET", path: one, byID: true, crosses: true},
		{method: "POST", path: "/triggers/check", body: `{"trigger_info": {"properties": {"format": "crontab", "pattern": "0 2 * * *"}}}`, writes: true, header: v14},
		{method: "PUT", path: one, body: `{"trigger_info": {"name": "x"}}`, byID: true, writes: true, crosses: true},
		{method: "DELETE", path: "/triggers/" + w.trigger(t, token), byID: true, writes: true, crosses: true},
	}
}

func triggerView(id string, properties map[string]any) map[string]any {
	return map[string]any{"id": id, "name": "nightly", "type": "time", "properties": properties}
}

func TestATriggerIsMadeShownAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.call(t, "member", "POST", "/triggers", triggerBody).want(t, 200)
	id := made.str("trigger_info.id")
	want := triggerView(id, map[string]any{"format": "crontab", "pattern": "0 2 * * *",
		"start_time": "2026-12-01 00:00:00", "end_time": "2027-12-01 00:00:00", "window": "1200"})
	same(t, map[string]any{"trigger_info": want}, made)
	same(t, map[string]any{"trigger_info": want}, w.call(t, "reader", "GET", "/triggers/"+id, "").want(t, 200))
	// An entry of the list is the inner object.
	same(t, map[string]any{"triggers": []any{want}}, w.call(t, "reader", "GET", "/triggers", "").want(t, 200))
	if a := w.call(t, "member", "DELETE", "/triggers/"+id, "").want(t, 200); a.text != "" {
		t.Errorf("a delete answers %q", a.text)
	}
	for _, method := range []string{"GET", "DELETE"} {
		w.call(t, "member", method, "/triggers/"+id, "").want(t, 404, "itemNotFound")
		w.call(t, "member", method, "/triggers/my-name", "").want(t, 400, "badRequest", "my-name")
	}
}

func TestWhatATriggerLeavesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"trigger_info": {"name": "nightly", "type": "time", "properties": {"format": "crontab", "pattern": "0 2 * * *", "end_time": null}}}`
	a := w.call(t, "member", "POST", "/triggers", body).want(t, 200)
	start := a.str("trigger_info.properties.start_time")
	if !strings.HasPrefix(start, "2026-11-20 23:00:") {
		t.Errorf("the start time is %q, not now", start)
	}
	// What has a default and was not sent is not shown.
	same(t, map[string]any{"trigger_info": triggerView(a.str("trigger_info.id"), map[string]any{
		"format": "crontab", "pattern": "0 2 * * *", "start_time": start})}, a)
}

func TestPatternsComeBackAsTheyWereSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, pattern := range []string{
		"BEGIN:VEVENT\nRRULE:FREQ=HOURLY;INTERVAL=1;\nEND:VEVENT",
		"BEGIN:VEVENT\r\nRRULE:FREQ=DAILY;BYHOUR=9,\r\n 21\r\nEND:VEVENT\r\n",
		`BEGIN:VEVENT\nRRULE:FREQ=HOURLY;INTERVAL=1;\nEND:VEVENT`,
		"BEGIN:VEVENT\nDTSTART;TZID=Europe/Berlin:20260101T030000\nRRULE:FREQ=DAILY\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=12\nEND:VEVENT",
	} {
		text, err := json.Marshal(map[string]any{"trigger_info": map[string]any{"name": "n", "type": "time",
			"properties": map[string]any{"format": "calendar", "pattern": pattern, "window": "900"}}})
		if err != nil {
			t.Fatal(err)
		}
		id := w.call(t, "member", "POST", "/triggers", string(text)).want(t, 200).str("trigger_info.id")
		a := w.call(t, "member", "GET", "/triggers/"+id, "").want(t, 200)
		if got := a.str("trigger_info.properties.pattern"); got != pattern || a.str("trigger_info.properties.window") != "900" {
			t.Errorf("%q came back as %q in %s", pattern, got, a.text)
		}
	}
}

func TestTriggersThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct{ name, old, new, want string }{
		{"no name", `"name": "nightly", `, ``, "trigger_info.name. It is required"},
		{"an empty name", `"nightly"`, `""`, "trigger_info.name"},
		{"a name of spaces", `"nightly"`, `"  "`, "trigger_info.name"},
		{"a long name", `"nightly"`, `"` + strings.Repeat("n", 256) + `"`, "trigger_info.name"},
		{"no type", `"type": "time", `, ``, "trigger_info.type. It is required"},
		{"an unknown type", `"time"`, `"space"`, `trigger_info.type. Value: \"space\"`},
		{"an unknown member", `"type"`, `"colour": "red", "type"`, "trigger_info.colour"},
		{"no format", `"format": "crontab", `, ``, "properties.format. It is required"},
		{"an unknown format", `"crontab"`, `"cron"`, `properties.format. Value: \"cron\"`},
		{"a format that is not the pattern's", `"crontab"`, `"calendar"`, "properties.pattern"},
		{"no pattern", `"pattern": "0 2 * * *", `, ``, "properties.pattern. It is required"},
		{"an empty pattern", `"0 2 * * *"`, `""`, "properties.pattern"},
		{"a pattern of six fields", `"0 2 * * *"`, `"0 0 2 * * *"`, "properties.pattern: a crontab has the 5 fields"},
		{"30 February", `"0 2 * * *"`, `"0 0 30 2 *"`, "properties.pattern: it gives no run after 2026-12-01 00:00:00"},
		{"runs too close", `"0 2 * * *"`, `"*/59 * * * *"`, "must be at least 3600"},
		{"a bad start", `"2026-12-01 00:00:00"`, `"tomorrow"`, `properties.start_time: \"tomorrow\" is not a time`},
		{"a start that is a number", `"2026-12-01 00:00:00"`, `20261201`, "properties.start_time. Value: 20261201"},
		{"a bad end", `"2027-12-01T00:00:00Z"`, `"2027-13-01"`, `properties.end_time: \"2027-13-01\" is not a time`},
		{"an end before the start", `"2027-12-01T00:00:00Z"`, `"2026-11-30 00:00:00"`, "properties.end_time: 2026-11-30 00:00:00 is not after"},
		{"an end before the first run", `"2027-12-01T00:00:00Z"`, `"2026-12-01 01:59:59"`, "no run after 2026-12-01 00:00:00 until the end_time"},
		{"a year out of range", `"2027-12-01T00:00:00Z"`, `"9999-01-01 00:00:00"`, "properties.end_time: the year"},
		{"a short window", `1200`, `899`, "properties.window: 899 seconds are not from 900 to 1800"},
		{"a long window", `1200`, `"1801"`, "properties.window: 1801 seconds are not from 900 to 1800"},
		{"no window at all", `1200`, `0`, "properties.window"},
		{"a window before its time", `1200`, `-900`, "properties.window"},
		{"a window that is no number", `1200`, `"long"`, "properties.window"},
		{"a window with a fraction", `1200`, `900.5`, "properties.window"},
		{"an unknown property", `"window"`, `"windows"`, "properties.windows"},
		{"a list of properties", `{"format"`, `[1], "x": {"format"`, "trigger_info.properties"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Replace(triggerBody, tt.old, tt.new, 1)
			if body == triggerBody {
				t.Fatal("the body was not changed")
			}
			w.call(t, "member", "POST", "/triggers", body).want(t, 400, "badRequest", tt.want)
		})
	}
	if a := w.call(t, "admin", "GET", "/triggers?all_tenants=1", ""); a.text != "{\"triggers\":[]}\n" {
		t.Errorf("a refused trigger is stored: %s", a.text)
	}
}

func TestTimesOfATriggerInEveryForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, form := range []string{"2026-12-01 06:00:00", "2026-12-01T06:00:00", "2026-12-01T06:00:00Z", "2026-12-01T06:00:00.999",
		"2026-12-01T07:00:00+01:00", "2026-12-01 01:00:00-05:00", "20261201T060000Z", "2026-12-01T06:00"} {
		body := strings.Replace(triggerBody, "2026-12-01 00:00:00", form, 1)
		if got := w.call(t, "member", "POST", "/triggers", body).want(t, 200).str("trigger_info.properties.start_time"); got != "2026-12-01 06:00:00" {
			t.Errorf("%s came back as %s", form, got)
		}
	}
}

func TestATriggerIsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.trigger(t, "member")
	put := func(body string) answer {
		return w.call(t, "member", "PUT", "/triggers/"+id, `{"trigger_info": `+body+`}`)
	}
	before := w.call(t, "member", "GET", "/triggers/"+id, "").want(t, 200).get("trigger_info").(map[string]any)

	want := maps.Clone(before)
	want["name"] = "weekly"
	same(t, map[string]any{"trigger_info": want}, put(`{"name": "weekly"}`).want(t, 200))
	// The old client sends no properties as an empty object.
	want["name"] = "monthly"
	same(t, map[string]any{"trigger_info": want}, put(`{"name": "monthly", "properties": {}}`).want(t, 200))
	same(t, map[string]any{"trigger_info": want}, put(`{}`).want(t, 200))
	// Properties are replaced as a whole.
	want["properties"] = map[string]any{"format": "calendar", "pattern": "BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VEVENT", "start_time": "2027-01-01 00:00:00"}
	same(t, map[string]any{"trigger_info": want},
		put(`{"type": "time", "properties": {"format": "calendar", "pattern": "BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VEVENT", "start_time": "2027-01-01T00:00:00"}}`).want(t, 200))

	for body, says := range map[string]string{
		`{"name": ""}`:                          "trigger_info.name",
		`{"name": " "}`:                         "trigger_info.name",
		`{"name": null}`:                        "trigger_info.name",
		`{"type": "space"}`:                     "trigger_info.type",
		`{"id": "` + unknown + `"}`:             "trigger_info.id",
		`{"properties": {"window": 900}}`:       "properties.format. It is required",
		`{"properties": {"format": "crontab"}}`: "properties.pattern. It is required",
		`{"properties": {"format": "crontab", "pattern": "0 0 30 2 *"}}`:                   "no run after",
		`{"properties": {"format": "crontab", "pattern": "0 0 * * *", "window": 3}}`:       "properties.window: 3",
		`{"properties": {"format": "crontab", "pattern": "* * * * *"}}`:                    "must be at least 3600",
		`{"properties": {"format": "crontab", "pattern": "0 0 * * *", "start_time": "x"}}`: "properties.start_time",
	} {
		put(body).want(t, 400, "badRequest", says)
	}
	same(t, map[string]any{"trigger_info": want}, w.call(t, "member", "GET", "/triggers/"+id, "").want(t, 200))
	w.call(t, "member", "PUT", "/triggers/"+unknown, `{"trigger_info": {"name": "x"}}`).want(t, 404, unknown)
	w.call(t, "member", "PUT", "/triggers/nightly", `{"trigger_info": {"name": "x"}}`).want(t, 400, "nightly")
}

func TestFiltersOfTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"alpha", "ALPHABET", "beta_1"} {
		w.call(t, "member", "POST", "/triggers", strings.Replace(triggerBody, "nightly", name, 1)).want(t, 200)
	}
	hourly := strings.Replace(triggerBody, "0 2 * * *", "0 * * * *", 1)
	w.call(t, "member", "POST", "/triggers", strings.Replace(hourly, "1200", "900", 1)).want(t, 200)
	w.trigger(t, "stranger")
	for query, want := range map[string]int{
		"name=alpha": 2, "name=a_1": 1, "name=a%25": 0, "name=": 4, "type=time": 4, "type=space": 0,
		"properties=" + url.QueryEscape("0 * *"):                                  1,
		"properties=" + url.QueryEscape("window=900"):                             1,
		"properties=" + url.QueryEscape("format=crontab,window=1200"):             3,
		"properties=" + url.QueryEscape(`{"format": "crontab", "window": "900"}`): 1,
		"properties=" + url.QueryEscape(`{"window": 900}`):                        1,
		"properties=calendar":  0,
		"project_id=" + theirs: 4,
		"all_tenants=1":        4,
	} {
		if got := len(w.call(t, "member", "GET", "/triggers?"+query, "").want(t, 200).body["triggers"].([]any)); got != want {
			t.Errorf("%s gives a member %d, want %d", query, got, want)
		}
	}
	for query, want := range map[string]int{"": 4, "all_tenants=1": 5, "all_tenants=1&project_id=" + theirs: 1} {
		if got := len(w.call(t, "admin", "GET", "/triggers?"+query, "").want(t, 200).body["triggers"].([]any)); got != want {
			t.Errorf("%s gives an administrator %d, want %d", query, got, want)
		}
	}
}

// pageThrough follows the links of a list of n items of the caller's.
func (w *world) pageThrough(t *testing.T, path, collection string, n int) {
	t.Helper()
	for _, query := range []string{"limit=2", "limit=2&sort=name:asc", "limit=1&sort_key=id&sort_dir=desc", fmt.Sprintf("limit=%d&offset=0", n)} {
		seen := map[string]bool{}
		next := "/v1/" + ours + path + "?" + query
		for pages := 0; next != "" && pages < n+2; pages++ {
			a := w.raw(t, "member", "GET", next, "").want(t, 200)
			for _, v := range a.body[collection].([]any) {
				seen[v.(map[string]any)["id"].(string)] = true
			}
			next = ""
			if links, ok := a.body[collection+"_links"].([]any); ok {
				next = links[0].(map[string]any)["href"].(string)
			}
		}
		if len(seen) != n || next != "" {
			t.Errorf("%s?%s gives %d of %d, next %q", path, query, len(seen), n, next)
		}
	}
	for _, bad := range []string{"sort=colour", "marker=" + unknown, "limit=0", "limit=x", "sort=id&sort_key=id", "all_tenants=perhaps"} {
		w.call(t, "member", "GET", path+"?"+bad, "").want(t, 400, "badRequest")
	}
}

func TestTriggersArePaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.trigger(t, "member")
	}
	w.trigger(t, "stranger")
	w.pageThrough(t, "/triggers", "triggers", 5)
}

func TestTheWindowsTextIsTheSameHoweverItIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, window := range []string{`900`, `"900"`, `"0900"`} {
		a := w.call(t, "member", "POST", "/triggers", strings.Replace(triggerBody, "1200", window, 1)).want(t, 200)
		if diff := cmp.Diff("900", a.get("trigger_info.properties.window")); diff != "" {
			t.Errorf("%s: %s", window, diff)
		}
	}
}
