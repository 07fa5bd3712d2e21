package openstack

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
)

// TestRemoveAsksAsOftenAsItHelps lets a thing go through states, one at each look;
// after the last it stays.
func TestRemoveAsksAsOftenAsItHelps(t *testing.T) {
	const gone = "gone"
	for name, test := range map[string]struct {
		states []string
		asked  int
		fails  string // "" where it goes
		passes bool   // an error that may pass
	}{
		"at once":                 {[]string{"available", "deleting", gone}, 1, "", false},
		"was not there":           {[]string{gone}, 0, "", false},
		"is going already":        {[]string{"deleting", gone}, 0, "", false},
		"in error":                {[]string{"error", gone}, 1, "", false},
		"deleted in vain before":  {[]string{"error_deleting", "deleting", gone}, 1, "", false},
		"deleted in vain":         {[]string{"available", "deleting", "error_deleting"}, 1, "can't be deleted", false},
		"needed by something":     {[]string{"available"}, 3, "can't be deleted", false},
		"needed for a while":      {[]string{"available", "deleting", "available", "deleting", gone}, 2, "", false},
		"in transition":           {[]string{"creating"}, 0, "can't be deleted yet", true},
		"in transition and comes": {[]string{"creating", "available", gone}, 1, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			look, asked := 0, 0
			state := func(context.Context) (string, error) {
				now := test.states[min(look, len(test.states)-1)]
				look++
				if now == gone {
					return "", karbor.Errorf(karbor.NotFound, "it is not there")
				}
				return now, nil
			}
			drop := func(context.Context) error { asked++; return nil }
			ctx := WithPatience(t.Context(), 5*time.Millisecond)
			err := Waits{Longest: time.Millisecond, Timeout: time.Minute}.Remove(ctx, "the thing", Removal{State: state, Drop: drop})
			if (err == nil) != (test.fails == "") || err != nil && (!strings.Contains(err.Error(), test.fails) || karbor.IsTransient(err) != test.passes) {
				t.Errorf("got %v", err)
			}
			if asked != test.asked {
				t.Errorf("it was asked to go %d times; want %d", asked, test.asked)
			}
		})
	}
}

func TestRemoveEndsWithItsTime(t *testing.T) {
	stuck := Removal{State: func(context.Context) (string, error) { return "deleting", nil }}
	err := Waits{Longest: time.Millisecond, Timeout: 10 * time.Millisecond}.Remove(t.Context(), "the thing", stuck)
	if err == nil || karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "waiting for the thing to be deleted") {
		t.Errorf("got %v", err)
	}
}
