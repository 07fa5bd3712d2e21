package nova

import (
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Event is an entry in a server's list of actions.
type Event struct {
	Action, ServerID, RequestID string
	UserID, ProjectID           string
	At                          time.Time
}

// note keeps what a request did to a server.
func (n *Nova) note(r *fabric.Request, server, action string) {
	n.events.Put(server+" "+r.ID, Event{action, server, r.ID, r.UserID, r.ProjectID, n.fab.Clock.Now()})
}

// forget drops a server's events and its lock.
func (n *Nova) forget(server string) {
	for _, e := range n.events.List(func(e Event) bool { return e.ServerID == server }) {
		n.events.Delete(server + " " + e.RequestID)
	}
	n.mu.Lock()
	delete(n.locks, server)
	n.mu.Unlock()
}

func (e Event) view(r *fabric.Request) object {
	o := object{
		"action": e.Action, "instance_uuid": e.ServerID, "request_id": e.RequestID, "user_id": e.UserID,
		"project_id": e.ProjectID, "start_time": fabric.Micros(e.At), "message": nil,
	}
	if r.Version.AtLeast(2, 58) {
		o["updated_at"] = fabric.Micros(e.At)
	}
	return o
}

func (n *Nova) eventList(r *fabric.Request) error {
	s, err := n.find(r)
	if err != nil {
		return err
	}
	events := n.events.List(func(e Event) bool { return e.ServerID == s.ID })
	slices.Reverse(events)
	list := []object{}
	for _, e := range events {
		list = append(list, e.view(r))
	}
	return r.JSON(http.StatusOK, object{"instanceActions": list})
}

func (n *Nova) eventShow(r *fabric.Request) error {
	s, err := n.find(r)
	if err != nil {
		return err
	}
	e, ok := n.events.Get(s.ID + " " + r.PathValue("request"))
	if !ok {
		return fabric.NotFound("Action for request_id %s on instance %s not found", r.PathValue("request"), s.ID)
	}
	o := e.view(r)
	if r.Admin() || r.Version.AtLeast(2, 51) {
		o["events"] = []object{}
	}
	return r.JSON(http.StatusOK, object{"instanceAction": o})
}
