package karbor

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// TriggerType is the type of a trigger.
type TriggerType string

// TimeTrigger fires at times. It is the only type that there is.
const TimeTrigger TriggerType = "time"

// TriggerFormat is the language of a trigger's pattern.
type TriggerFormat string

// The formats of patterns.
const (
	// Crontab is a line of five fields: minute, hour, day of the month, month and day of
	// the week; in UTC, or in the zone of the properties.
	Crontab TriggerFormat = "crontab"
	// Calendar is an iCalendar VEVENT (RFC 5545) with RRULE or RDATE.
	Calendar TriggerFormat = "calendar"
)

// TriggerTimeLayout is how the wire contract writes the times of a trigger: UTC,
// to the second.
const TriggerTimeLayout = time.DateTime

// TriggerProperties say when a trigger fires. As JSON they have the form of the
// wire contract: start_time and end_time as TriggerTimeLayout, window in seconds,
// written as a text and read from a text or a number. What is zero is left out.
type TriggerProperties struct {
	Format TriggerFormat
	// Pattern is as the tenant wrote it.
	Pattern string
	// StartTime is when the first run may be, to the second.
	StartTime time.Time
	// EndTime is when the last run may be; zero for no end.
	EndTime time.Time
	// Window is how late a run may begin after its time, in whole seconds; zero
	// for the least that the service allows.
	Window time.Duration
	// Timezone is the name of the zone (IANA) of whose clock the pattern speaks where it
	// names none itself; "" for UTC.
	Timezone string
	// Jitter is over how long a time, in whole seconds, the runs of the scheduled
	// operations that share the trigger are spread.
	Jitter time.Duration
}

// triggerDocument is TriggerProperties as JSON.
type triggerDocument struct {
	Format    TriggerFormat `json:"format"`
	Pattern   string        `json:"pattern"`
	StartTime string        `json:"start_time,omitempty"`
	EndTime   string        `json:"end_time,omitempty"`
	Window    *number       `json:"window,omitempty"`
	Timezone  string        `json:"timezone,omitempty"`
	Jitter    number        `json:"jitter,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (p TriggerProperties) MarshalJSON() ([]byte, error) {
	d := triggerDocument{Format: p.Format, Pattern: p.Pattern, StartTime: triggerTime(p.StartTime), EndTime: triggerTime(p.EndTime),
		Timezone: p.Timezone, Jitter: number(p.Jitter / time.Second)}
	if p.Window != 0 {
		seconds := number(p.Window / time.Second)
		d.Window = &seconds
	}
	return json.Marshal(d)
}

// UnmarshalJSON implements json.Unmarshaler. Errors have the kind Invalid and
// name the member.
func (p *TriggerProperties) UnmarshalJSON(text []byte) error {
	var d triggerDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	start, err := parseTriggerTime("start_time", d.StartTime)
	if err != nil {
		return err
	}
	end, err := parseTriggerTime("end_time", d.EndTime)
	if err != nil {
		return err
	}
	const most = 1 << 31
	if d.Jitter < 0 || d.Jitter > most {
		return Errorf(Invalid, "properties.jitter: %d seconds are out of range", d.Jitter)
	}
	*p = TriggerProperties{Format: d.Format, Pattern: d.Pattern, StartTime: start, EndTime: end,
		Timezone: d.Timezone, Jitter: time.Duration(d.Jitter) * time.Second}
	if d.Window == nil {
		return nil
	}
	if *d.Window < 1 || *d.Window > most {
		return Errorf(Invalid, "properties.window: %d seconds are out of range", *d.Window)
	}
	p.Window = time.Duration(*d.Window) * time.Second
	return nil
}

func triggerTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(TriggerTimeLayout)
}

// triggerLayouts are those in which a tenant may write a time. Go's parser takes
// a fraction of a second behind the seconds of each.
var triggerLayouts = []string{
	TriggerTimeLayout, "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700", "20060102T150405Z", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02 15:04",
}

// parseTriggerTime reads a time; one without a zone is in UTC. What is below a
// second is cut off.
func parseTriggerTime(member, text string) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	for _, layout := range triggerLayouts {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if y := t.UTC().Year(); y < minTriggerYear || y > maxTriggerYear {
			return time.Time{}, Errorf(Invalid, "properties.%s: the year of %s is not from %d to %d", member, text, minTriggerYear, maxTriggerYear)
		}
		return t.UTC().Truncate(time.Second), nil
	}
	return time.Time{}, Errorf(Invalid, "properties.%s: %q is not a time like %s or 2026-12-31T22:00:00Z", member, short(text), "2026-12-31 22:00:00")
}

// The years in which a trigger may start and end.
const (
	minTriggerYear = 1970
	maxTriggerYear = 2199
)

// short cuts a tenant's text for a message.
func short(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// Trigger says when scheduled operations run.
type Trigger struct {
	ID         string
	ProjectID  string
	Name       string
	Type       TriggerType
	Properties TriggerProperties
	// Fault is why the properties that are stored can't be read, and Properties are empty;
	// "" if they can. Such a trigger does not fire until they are replaced.
	Fault     string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// number is a whole number as the wire contract gives it in some places: written
// as a text, read from a text or a number.
type number int64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	return []byte(`"` + strconv.FormatInt(int64(n), 10) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	bare := strings.TrimSpace(strings.Trim(string(text), `"`))
	v, err := strconv.ParseInt(bare, 10, 64)
	if err != nil {
		return Errorf(Invalid, "%s is not a whole number", short(string(text)))
	}
	*n = number(v)
	return nil
}
