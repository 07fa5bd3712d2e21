package triggers

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/trigger"
)

// The numbers of times that are given.
const (
	usualRuns = 5
	mostRuns  = 100
)

// nextRuns gives so many of the next times as a text says.
func (d Deps) nextRuns(p karbor.TriggerProperties, number string) (*[]string, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > mostRuns {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid next: %.20q is not from 1 to %d.", number, mostRuns)
	}
	s, err := trigger.Parse(p)
	if err != nil {
		return nil, err
	}
	return d.times(s, n), nil
}

func (d Deps) times(s *trigger.Schedule, n int) *[]string {
	out := []string{}
	for _, at := range s.Times(d.Now(), n) {
		out = append(out, *api.Time(at))
	}
	return &out
}

type checkAnswer struct {
	NextRuns []string `json:"next_runs" doc:"The next times, ISO 8601, UTC."`
}

// check says when a trigger would fire.
func (d Deps) check(_ context.Context, r *api.Request) (any, error) {
	var body struct {
		Next        int `json:"next"`
		TriggerInfo struct {
			Properties json.RawMessage `json:"properties"`
		} `json:"trigger_info"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	p, err := d.properties(body.TriggerInfo.Properties, d.Now(), r.Version)
	if err != nil {
		return nil, err
	}
	s, err := trigger.Parse(p)
	if err != nil {
		return nil, err
	}
	return checkAnswer{*d.times(s, cmp.Or(body.Next, usualRuns))}, nil
}
