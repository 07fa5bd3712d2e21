package output

import (
	"fmt"
	"time"
)

// Span writes a number of seconds in its two largest units, such as "3d 4h"; nil is "".
func Span(seconds *int64) string {
	if seconds == nil {
		return ""
	}
	const day = 24 * time.Hour
	units := []struct {
		size time.Duration
		word string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	left := time.Duration(*seconds) * time.Second
	if left < time.Second {
		return "0s"
	}
	for i, u := range units {
		if left < u.size {
			continue
		}
		text := fmt.Sprintf("%d%s", left/u.size, u.word)
		if i+1 < len(units) {
			if next := left % u.size / units[i+1].size; next > 0 {
				text += fmt.Sprintf(" %d%s", next, units[i+1].word)
			}
		}
		return text
	}
	return ""
}
