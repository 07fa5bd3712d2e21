package configured

import (
	"fmt"
	"strconv"
	"time"
)

// ParseAge reads a number of days, weeks or hours.
func ParseAge(text string) (time.Duration, error) {
	units := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	const most = 100 * 365 * 24 // hours
	if text != "" {
		unit, known := units[text[len(text)-1:]]
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
		if known && err == nil && n*uint64(unit/time.Hour) <= most {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, fmt.Errorf("--older-than: %q is not a number of days, weeks or hours, such as 90d, 12w or 36h", text)
}
