// Package progress shows how far an operation is, as microversion 1.1 has it.
package progress

import "github.com/karbor/karbor"

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
}

// Of gives the view of one resource's progress.
func Of(p karbor.ResourceProgress) View {
	return View{
		Type: p.Type, ID: p.ID, Name: p.Name, State: p.State, Phase: p.Phase,
		BytesDone: p.Done, BytesTotal: p.Total, Reason: p.Reason,
	}
}
