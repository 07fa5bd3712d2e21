// Package progress shows how far an operation is, as microversion 1.1 and later have it.
package progress

import (
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// View is the progress of one resource on the wire.
type View struct {
	Type       karbor.ResourceType  `json:"type"`
	ID         string               `json:"id"`
	Name       string               `json:"name"`
	State      karbor.ResourceState `json:"state"`
	Phase      string               `json:"phase" doc:"The hook that runs now, such as main; empty before and after."`
	BytesDone  int64                `json:"bytes_done"`
	BytesTotal int64                `json:"bytes_total" doc:"0 as long as it is not known."`
	Reason     string               `json:"reason" doc:"Why it failed, or what it waits for."`
	// Speed, Left and Waiting are there from api.ControlVersion on.
	Speed   *int64  `json:"bytes_per_second,omitempty" doc:"From 1.4, while it moves: in the mean of the last seconds."`
	Left    *int64  `json:"seconds_left,omitempty" doc:"From 1.4: an estimate, where there is one."`
	Waiting *string `json:"waiting,omitempty" doc:"From 1.4: what it waits for, and how many are before it; only while it does."`
}

// Of gives the view of one resource's progress in a version of the API.
func Of(p karbor.ResourceProgress, version api.Version) View {
	v := View{
		Type: p.Type, ID: p.ID, Name: p.Name, State: p.State, Phase: p.Phase,
		BytesDone: p.Done, BytesTotal: p.Total, Reason: p.Reason,
	}
	if version >= api.ControlVersion {
		v.Speed, v.Left, v.Waiting = Known(p.Speed), Known(int64(p.Left/time.Second)), api.Text(p.Waiting)
	}
	return v
}

// Known gives a number that is not 0.
func Known(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
