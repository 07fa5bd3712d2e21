package trigger_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

func event(lines ...string) string {
	return "BEGIN:VEVENT\n" + strings.Join(lines, "\n") + "\nEND:VEVENT"
}

func TestCalendarRunsAtTheseTimes(t *testing.T) {
	t.Parallel()
	// 2026-11-21 is a Saturday. Clocks in Berlin go back on 2027-10-31 at 01:00 UTC
	// and forward on 2027-03-28 at 01:00 UTC; those in New York on 2027-03-14 at
	// 07:00 UTC, and back on 2027-11-07 at 06:00 UTC.
	const from = "2026-11-21 10:30:15"
	for _, test := range []struct {
		name    string
		pattern string
		from    string
		want    []string
	}{
		{"a rule without a beginning starts at start_time", event("RRULE:FREQ=DAILY;INTERVAL=2"), from,
			[]string{"2026-11-23 06:07:08", "2026-11-25 06:07:08"}},
		{"hourly, with the semicolon of the reference's example", `BEGIN:VEVENT\nRRULE:FREQ=HOURLY;INTERVAL=1;\nEND:VEVENT`, from,
			[]string{"2026-11-21 11:07:08", "2026-11-21 12:07:08"}},
		{"line breaks of both kinds", `BEGIN:VEVENT\r\nDTSTART:20260101T020000Z\r\nRRULE:FREQ=WEEKLY;BYDAY=SU\r\nEND:VEVENT\r\n`, from,
			[]string{"2026-11-22 02:00:00", "2026-11-29 02:00:00"}},
		{"a line that goes on in the next", "BEGIN:VEVENT\r\nDTSTART:20260101T020000Z\r\nRRULE:FREQ=WEE\r\n KLY;BYDAY=S\r\n\tU\r\nEND:VEVENT\r\n", from,
			[]string{"2026-11-22 02:00:00"}},
		{"within a calendar, with what else there may be",
			"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:16010101T030000\nRRULE:FREQ=YEARLY\nEND:STANDARD\nEND:VTIMEZONE\n" +
				event("UID:1", `SUMMARY;LANGUAGE="de:x":Sicherung`, "DTSTART;TZID=Europe/Berlin:20260101T030000", "RRULE:FREQ=DAILY", "BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM") + "\nEND:VCALENDAR", from,
			[]string{"2026-11-22 02:00:00"}},
		{"without a zone it is UTC", event("DTSTART:20260101T020000", "RRULE:FREQ=DAILY"), from, []string{"2026-11-22 02:00:00"}},
		{"a beginning that is a date", event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY"), from, []string{"2026-11-22 00:00:00"}},
		{"several rules", event("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY;BYHOUR=12", "RRULE:FREQ=DAILY;BYHOUR=18"), from,
			[]string{"2026-11-21 12:00:00", "2026-11-21 18:00:00", "2026-11-22 12:00:00"}},
		{"rules that agree run once", event("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;BYDAY=SU", "RDATE:20261123T000000Z"), from,
			[]string{"2026-11-22 00:00:00", "2026-11-23 00:00:00", "2026-11-24 00:00:00"}},
		{"dates without a rule", event("DTSTART:20261201T000000Z", "RDATE:20261203T000000Z,20261202T000000Z"), from,
			[]string{"2026-12-01 00:00:00", "2026-12-02 00:00:00", "2026-12-03 00:00:00"}},
		{"dates and exceptions", event("DTSTART:20260101T020000Z", "RRULE:FREQ=DAILY", "RDATE:20261122T120000Z", "EXDATE:20261123T020000Z", "EXDATE;VALUE=DATE:20261125"), from,
			[]string{"2026-11-22 02:00:00", "2026-11-22 12:00:00", "2026-11-24 02:00:00", "2026-11-26 02:00:00"}},
		{"an exception in another zone", event("DTSTART;TZID=Europe/Berlin:20260101T030000", "RRULE:FREQ=DAILY", "EXDATE:20261122T020000Z", "EXDATE;TZID=America/New_York:20261122T210000"), from,
			[]string{"2026-11-24 02:00:00"}},
		{"until, included", event("DTSTART:20260101T020000Z", "RRULE:FREQ=DAILY;UNTIL=20261123T020000Z"), from, []string{"2026-11-22 02:00:00", "2026-11-23 02:00:00"}},
		{"until the end of a day", event("DTSTART:20260101T020000Z", "RRULE:FREQ=DAILY;UNTIL=20261123"), from, []string{"2026-11-22 02:00:00", "2026-11-23 02:00:00"}},
		{"count, from the beginning", event("DTSTART:20261120T000000Z", "RRULE:FREQ=DAILY;COUNT=4"), from, []string{"2026-11-22 00:00:00", "2026-11-23 00:00:00"}},
		{"count takes exceptions along", event("DTSTART:20261120T000000Z", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20261122T000000Z"), from, []string{"2026-11-23 00:00:00"}},
		{"the last Friday of the month", event("DTSTART:20260101T000000Z", "RRULE:FREQ=MONTHLY;BYDAY=-1FR"), from, []string{"2026-11-27 00:00:00", "2026-12-25 00:00:00"}},
		{"the last working day of the month", event("DTSTART:20260101T000000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"), from,
			[]string{"2026-11-30 00:00:00", "2026-12-31 00:00:00", "2027-01-29 00:00:00"}},
		{"every other week stays in step", event("DTSTART:20240101T000000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"), from, []string{"2026-11-30 00:00:00", "2026-12-14 00:00:00"}},
		{"the 31st", event("DTSTART:20200131T000000Z", "RRULE:FREQ=MONTHLY"), from, []string{"2026-12-31 00:00:00", "2027-01-31 00:00:00", "2027-03-31 00:00:00"}},
		{"29 February", event("DTSTART:20240229T000000Z", "RRULE:FREQ=YEARLY"), from, []string{"2028-02-29 00:00:00", "2032-02-29 00:00:00"}},
		{"every fifth hour stays in step", event("DTSTART:20261121T000000Z", "RRULE:FREQ=HOURLY;INTERVAL=5"), "2026-11-21 21:00:00", []string{"2026-11-22 01:00:00", "2026-11-22 06:00:00"}},
		{"ninety minutes", event("DTSTART:20261121T000000Z", "RRULE:FREQ=MINUTELY;INTERVAL=90"), from, []string{"2026-11-21 12:00:00", "2026-11-21 13:30:00"}},
		{"hours of some days", event("DTSTART:20260101T000500Z", "RRULE:FREQ=HOURLY;BYDAY=MO;BYHOUR=1,3"), from, []string{"2026-11-23 01:05:00", "2026-11-23 03:05:00", "2026-11-30 01:05:00"}},
		{"a step that is not whole days", event("DTSTART:20261121T013000Z", "RRULE:FREQ=MINUTELY;INTERVAL=1500"), from, []string{"2026-11-22 02:30:00", "2026-11-23 03:30:00"}},
		{"a beginning long ago", event("DTSTART:19700101T003000Z", "RRULE:FREQ=HOURLY"), from, []string{"2026-11-21 11:30:00"}},
		{"03:00 stays 03:00 in Berlin", event("DTSTART;TZID=Europe/Berlin:20260101T030000", "RRULE:FREQ=DAILY"), "2027-03-26 12:00:00",
			[]string{"2027-03-27 02:00:00", "2027-03-28 01:00:00", "2027-03-29 01:00:00"}},
		{"02:30 runs on the day that has none, too", event("DTSTART;TZID=Europe/Berlin:20260101T023000", "RRULE:FREQ=DAILY"), "2027-03-26 12:00:00",
			[]string{"2027-03-27 01:30:00", "2027-03-28 01:30:00", "2027-03-29 00:30:00"}},
		{"02:30 runs once on the day that has two", event("DTSTART;TZID=Europe/Berlin:20260101T023000", "RRULE:FREQ=DAILY"), "2027-10-30 12:00:00",
			[]string{"2027-10-31 00:30:00", "2027-11-01 01:30:00"}},
		{"hours around the one that is left out", event("DTSTART;TZID=America/New_York:20260101T003000", "RRULE:FREQ=HOURLY"), "2027-03-14 05:00:00",
			[]string{"2027-03-14 05:30:00", "2027-03-14 06:30:00", "2027-03-14 07:30:00", "2027-03-14 08:30:00"}},
		{"what is left out may come after what stood behind it", event("DTSTART;TZID=America/New_York:20260101T000000", "RRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=45", "RRULE:FREQ=DAILY;BYHOUR=3;BYMINUTE=15"), "2027-03-14 00:00:00",
			[]string{"2027-03-14 07:15:00", "2027-03-14 07:45:00", "2027-03-15 06:45:00", "2027-03-15 07:15:00"}},
		{"until in UTC ends a rule of a zone", event("DTSTART;TZID=Asia/Tokyo:20261120T080000", "RRULE:FREQ=DAILY;UNTIL=20261122T230000Z"), from,
			[]string{"2026-11-21 23:00:00", "2026-11-22 23:00:00"}},
	} {
		p := karbor.TriggerProperties{Format: karbor.Calendar, Pattern: test.pattern, StartTime: at(t, "2026-01-01 06:07:08")}
		n := len(test.want)
		if strings.HasPrefix(test.name, "until") || strings.HasPrefix(test.name, "count") || strings.HasPrefix(test.name, "dates without") {
			n++ // there is no further one
		}
		if diff := cmp.Diff(test.want, first(t, p, test.from, n)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestCalendarsThatAreRefused(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-21 10:00:00")
	rule := func(text string) string { return event("DTSTART:20260101T030000Z", "RRULE:"+text) }
	for pattern, want := range map[string]string{
		"":                               "from BEGIN:VEVENT to END:VEVENT",
		"RRULE:FREQ=DAILY":               "not within BEGIN:VEVENT",
		"BEGIN:VEVENT\nRRULE:FREQ=DAILY": "from BEGIN:VEVENT to END:VEVENT",
		event("RRULE:FREQ=DAILY") + "\n" + event("RRULE:FREQ=DAILY"):                 "one component",
		"BEGIN:VEVENT\nRRULE:FREQ=DAILY\nEND:VTODO":                                  "END:VTODO ends no component",
		event("DTSTART:20260101T030000Z"):                                            "neither RRULE nor RDATE",
		event("nonsense"):                                                            `the line "nonsense"`,
		event("RRULE"):                                                               `the line "RRULE"`,
		event("RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"):                               "EXRULE is not supported",
		event("DTSTART:2026", "RRULE:FREQ=DAILY"):                                    `DTSTART: "2026"`,
		event("DTSTART:20261301T000000Z", "RRULE:FREQ=DAILY"):                        "DTSTART",
		event("DTSTART:18000101T000000Z", "RRULE:FREQ=DAILY"):                        "the year 1800",
		event("DTSTART:20260101", "DTSTART:20260101", "RRULE:FREQ=DAILY"):            "DTSTART twice",
		event("DTSTART;TZID=Mars/Olympus:20260101T000000", "RRULE:FREQ=DAILY"):       `the time zone "Mars/Olympus"`,
		event("DTSTART;TZID=../../etc/passwd:20260101T000000", "RRULE:FREQ=DAILY"):   "the time zone",
		event("DTSTART;TZID=Local:20260101T000000", "RRULE:FREQ=DAILY"):              `the time zone "Local"`,
		event("RDATE;VALUE=PERIOD:20260101T000000Z/PT1H", "RRULE:FREQ=DAILY"):        "type PERIOD",
		event("RDATE:tomorrow"):                                                      "RDATE",
		event("RRULE:FREQ=DAILY", "EXDATE:never"):                                    "EXDATE",
		event("RDATE:20260101T000000Z"):                                              "no run after",
		event("RDATE:20270101T000000Z" + strings.Repeat(",20270101", 1000)):          "1001 dates",
		event("RRULE:FREQ=DAILY;COUNT=6000", "RRULE:FREQ=DAILY;COUNT=4001"):          "all rules together",
		event(strings.Repeat("RRULE:FREQ=DAILY\n", 21)):                              "21 RRULEs",
		rule("INTERVAL=1"):                                                           "no FREQ",
		rule("FREQ=FORTNIGHTLY"):                                                     "FORTNIGHTLY",
		rule("FREQ=SECONDLY"):                                                        "FREQ=SECONDLY is not supported",
		rule("FREQ=DAILY;FREQ=DAILY"):                                                "FREQ twice",
		rule("FREQ=DAILY;COLOUR=RED"):                                                "COLOUR",
		rule("FREQ=DAILY;BYEASTER=1"):                                                "BYEASTER",
		rule("FREQ=DAILY;INTERVAL=0"):                                                "INTERVAL is not from 1",
		rule("FREQ=DAILY;INTERVAL=9223372036854775807"):                              "INTERVAL is not from 1",
		rule("FREQ=DAILY;COUNT=0"):                                                   "COUNT is not from 1",
		rule("FREQ=DAILY;COUNT=10001"):                                               "COUNT is not from 1",
		rule("FREQ=DAILY;COUNT=9;UNTIL=20270101"):                                    "both COUNT and UNTIL",
		rule("FREQ=DAILY;UNTIL=soon"):                                                "UNTIL",
		rule("FREQ=DAILY;UNTIL=20250101"):                                            "no date satisfies it",
		rule("FREQ=DAILY;UNTIL=20260201"):                                            "no run after 2026-11-21 10:00:00",
		rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"):                                  "no date satisfies it",
		rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"):                                   "no date satisfies it",
		rule("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"):                                  "no date satisfies it",
		rule("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1"):                       "no date satisfies it",
		rule("FREQ=HOURLY;INTERVAL=24;BYHOUR=5"):                                     "no date satisfies it",
		rule("FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5"):                                 "no date satisfies it",
		rule("FREQ=DAILY;BYMONTHDAY=32"):                                             "bymonthday",
		rule("FREQ=DAILY;BYHOUR=24"):                                                 "byhour",
		rule("FREQ=MONTHLY;BYDAY=6MO"):                                               "BYDAY has the number 6",
		rule("FREQ=MONTHLY;BYDAY=-53MO"):                                             "BYDAY has the number -53",
		rule("FREQ=YEARLY;BYMONTH=12;BYDAY=53MO"):                                    "BYDAY has the number 53",
		rule("FREQ=WEEKLY;BYDAY=1MO"):                                                "BYDAY has the number 1",
		rule("FREQ=HOURLY;BYSETPOS=1"):                                               "BYSETPOS",
		rule("FREQ=DAILY;BYDAY="):                                                    "NAME=VALUE",
		rule("FREQ=DAILY;BYHOUR=1,2;BYMINUTE=" + upTo(59) + ";BYSECOND=" + upTo(59)): "times a day",
		rule("FREQ=MINUTELY;INTERVAL=30"):                                            "1800 seconds apart, and must be at least 3600",
		rule("FREQ=DAILY;BYMINUTE=0,1"):                                              "60 seconds apart",
		// Rules that meet once in a while: on a Monday that is the first of a month.
		event("DTSTART:20260101T000000Z", "RRULE:FREQ=MONTHLY", "RRULE:FREQ=WEEKLY;BYDAY=MO;BYMINUTE=30"): "its runs at 2027-02-01 00:00:00 and 2027-02-01 00:30:00 are 1800 seconds apart",
	} {
		_, err := trigger.Check(karbor.TriggerProperties{Format: karbor.Calendar, Pattern: pattern, StartTime: now}, limits, now)
		if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(karbor.Sentence(err), want) || !strings.HasPrefix(karbor.Sentence(err), "properties.pattern: ") {
			t.Errorf("%.200q: error %v, want one with %q", pattern, err, want)
		}
	}
}

func upTo(n int) string {
	var out []string
	for i := range n + 1 {
		out = append(out, strconv.Itoa(i))
	}
	return strings.Join(out, ",")
}
