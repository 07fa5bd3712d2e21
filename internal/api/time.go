package api

import "time"

// Time gives a time as the API writes it, ISO 8601 in UTC to the second, and null
// for the zero time.
func Time(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05Z")
	return &s
}

// Text gives a text, and null for an empty one.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
