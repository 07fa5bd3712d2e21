package argument

import (
	"time"

	"github.com/karbor/karbor/internal/cli/exit"
)

// Moment reads a time of a command line: a day, which begins at midnight UTC, or a time
// with its offset.
func Moment(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, exit.Usagef("%s: %q is no time of the form YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ", flag, text)
}

// Expiry reads --expires-at; nil for none.
func Expiry(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := Moment("--expires-at", text)
	return &t, err
}
