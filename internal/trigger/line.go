package trigger

import (
	"fmt"
	"strings"
	"time"
)

// line is a content line of iCalendar (RFC 5545, 3.1).
type line struct {
	name       string
	parameters map[string]string
	value      string
}

// eventLines gives the lines within the one VEVENT of a text. Line breaks may be
// real ones or written as \n or \r\n; a line that begins with a space or tab goes
// on with the line before. What is in components within or beside the VEVENT is
// left out.
func eventLines(text string) ([]line, error) {
	text = strings.TrimSpace(text)
	if !strings.ContainsAny(text, "\r\n") {
		text = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n", `\r`, "\n").Replace(text)
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	text = strings.NewReplacer("\n ", "", "\n\t", "").Replace(text)
	var lines []line
	var open []string
	events := 0
	for content := range strings.SplitSeq(text, "\n") {
		if content = strings.TrimSpace(content); content == "" {
			continue
		}
		l, err := parseLine(content)
		if err != nil {
			return nil, err
		}
		component := strings.ToUpper(l.value)
		switch {
		case l.name == "BEGIN":
			open = append(open, component)
			if component == "VEVENT" {
				events++
			}
		case l.name == "END":
			if len(open) == 0 || open[len(open)-1] != component {
				return nil, invalid("END:%s ends no component", cut(l.value))
			}
			open = open[:len(open)-1]
		case len(open) > 0 && open[len(open)-1] == "VEVENT":
			lines = append(lines, l)
		case len(open) == 0:
			return nil, invalid("the line %q is not within BEGIN:VEVENT and END:VEVENT", cut(content))
		}
	}
	if events != 1 || len(open) != 0 {
		return nil, invalid("a calendar has one component from BEGIN:VEVENT to END:VEVENT")
	}
	return lines, nil
}

// parseLine reads NAME;PARAMETER=VALUE;…:VALUE. The value of a parameter may be
// in quotes.
func parseLine(content string) (line, error) {
	l := line{parameters: map[string]string{}}
	quoted := false
	colon := strings.IndexFunc(content, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ':' && !quoted
	})
	if colon < 1 {
		return l, invalid("the line %q is not of the form NAME:VALUE", cut(content))
	}
	l.value = strings.TrimSpace(content[colon+1:])
	for i, part := range strings.Split(content[:colon], ";") {
		if i == 0 {
			l.name = strings.ToUpper(strings.TrimSpace(part))
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		l.parameters[strings.ToUpper(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return l, nil
}

// zone gives the zone of a line's times: its TZID, else the one given.
func (l line) zone(otherwise *time.Location) (*time.Location, error) {
	if kind := strings.ToUpper(l.parameters["VALUE"]); kind != "" && kind != "DATE" && kind != "DATE-TIME" {
		return nil, invalid("%s: values of the type %s are not supported", l.name, cut(kind))
	}
	name, ok := l.parameters["TZID"]
	if !ok {
		return otherwise, nil
	}
	name = strings.TrimPrefix(name, "/")
	zone, err := time.LoadLocation(name)
	// Two names that mean something else to Go's library than to anybody else.
	if err != nil || name == "" || name == "Local" {
		return nil, invalid("%s: the time zone %q is not known", l.name, cut(name))
	}
	return zone, nil
}

// value is a DATE or DATE-TIME (RFC 5545, 3.3.4 and 3.3.5).
type value struct {
	reading time.Time
	utc     bool
	// day is true for a DATE.
	day bool
}

func parseValue(text string) (value, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	for _, form := range []struct {
		layout string
		value  value
	}{
		{"20060102", value{day: true}},
		{"20060102T150405", value{}},
		{"20060102T150405Z", value{utc: true}},
	} {
		if len(text) != len(form.layout) {
			continue
		}
		if t, err := time.Parse(form.layout, text); err == nil {
			form.value.reading = t
			return form.value, nil
		}
	}
	return value{}, fmt.Errorf("%q is not a date like 20261231 or a time like 20261231T220000Z", cut(text))
}

// instant gives the instant that the value stands for in a zone.
func (v value) instant(zone *time.Location) time.Time {
	if v.utc {
		return v.reading
	}
	at, _ := instant(v.reading, zone)
	return at
}
