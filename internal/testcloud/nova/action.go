package nova

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// power is an action that changes a server's state.
type power struct {
	verb, task string
	from       []string
	to         string
	boots      bool
}

var powerActions = map[string]power{
	"os-stop":  {"stop", "powering-off", []string{active, failed}, stopped, false},
	"os-start": {"start", "powering-on", []string{stopped}, active, true},
	"pause":    {"pause", "pausing", []string{active}, paused, false},
	"unpause":  {"unpause", "unpausing", []string{paused}, active, false},
	"suspend":  {"suspend", "suspending", []string{active}, suspended, false},
	"resume":   {"resume", "resuming", []string{suspended}, active, false},
	"reboot":   {"reboot", "rebooting", []string{active}, active, true},
	"hard":     {"reboot", "rebooting_hard", []string{active, stopped, paused, suspended, failed}, active, true},
}

func (n *Nova) action(r *fabric.Request) error {
	name, value, err := r.Action()
	if err != nil {
		return err
	}
	s, err := n.find(r)
	if err != nil {
		return err
	}
	if !r.Writer() {
		return denied("servers:" + name)
	}
	if s.Locked && !r.Admin() && name != "unlock" {
		return fabric.Conflict("Instance %s is locked", s.ID)
	}
	switch name {
	case "createImage":
		return n.createImage(r, s, value)
	case "lock", "unlock":
		n.change(s.ID, func(s *Server) { s.Locked = name == "lock" })
		n.note(r, s.ID, name)
		return accepted(r)
	case "addSecurityGroup", "removeSecurityGroup":
		return n.setGroup(r, s, value, name == "addSecurityGroup")
	case "os-resetState":
		return n.resetState(r, s, value)
	case "os-getConsoleOutput":
		return r.JSON(http.StatusOK, object{"output": fmt.Sprintf("%s login: boot %d\n", s.Hostname, s.Boots)})
	case "reboot":
		var how struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(value, &how); err != nil || !strings.EqualFold(how.Type, "SOFT") && !strings.EqualFold(how.Type, "HARD") {
			return fabric.BadRequest("Invalid input for field/attribute type. Value: %s. It is neither HARD nor SOFT", how.Type)
		}
		if strings.EqualFold(how.Type, "HARD") {
			name = "hard"
		}
	}
	p, ok := powerActions[name]
	if !ok || name == "hard" && strings.Contains(string(value), "null") {
		return fabric.BadRequest("There is no such action: %s", name)
	}
	if s, err = n.begin(r, s.ID, p.verb, p.task, p.from...); err != nil {
		return err
	}
	n.turn(s, p)
	return accepted(r)
}

// accepted answers 202 without a body.
func accepted(r *fabric.Request) error {
	r.W.Header().Set("Content-Type", "application/json")
	return r.Empty(http.StatusAccepted)
}

// turn completes an action after a while.
func (n *Nova) turn(s Server, p power) {
	n.fab.Transit("nova", "server."+p.verb, s.ProjectID, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		s, ok := n.change(s.ID, func(s *Server) {
			if s.Task != p.task {
				return
			}
			s.State, s.Task = p.to, ""
			if fail {
				s.State = failed
				s.Fault = &Fault{Message: "The test cloud was asked to fail.", At: n.fab.Clock.Now()}
			} else if p.boots {
				s.Boots++
			}
		})
		if ok && s.Written < s.Boots {
			n.boot(s)
		}
	})
}

// resumePower repeats an action that was under way.
func (n *Nova) resumePower(s Server) {
	for _, p := range powerActions {
		if p.task == s.Task {
			n.turn(s, p)
			return
		}
	}
	n.change(s.ID, func(s *Server) { s.Task = "" })
}

func (n *Nova) setGroup(r *fabric.Request, s Server, value json.RawMessage, on bool) error {
	var group named
	if err := json.Unmarshal(value, &group); err != nil || group.Name == "" {
		return fabric.BadRequest("Missing parameter dict")
	}
	ids, err := n.networks.Groups(r.Identity, []string{group.Name})
	if err != nil {
		return fabric.NotFound("Unable to find security_group with name or id '%s'", group.Name)
	}
	if err := n.networks.SetGroup(s.ID, ids[0], on); err != nil {
		return err
	}
	return accepted(r)
}

func (n *Nova) resetState(r *fabric.Request, s Server, value json.RawMessage) error {
	if !r.Admin() {
		return denied("os-admin-actions:reset_state")
	}
	var want struct {
		State string `json:"state"`
	}
	if err := json.Unmarshal(value, &want); err != nil || want.State != active && want.State != failed {
		return fabric.BadRequest("Invalid input for field/attribute state. Value: %s.", want.State)
	}
	n.change(s.ID, func(s *Server) { s.State, s.Task = want.State, "" })
	return accepted(r)
}
