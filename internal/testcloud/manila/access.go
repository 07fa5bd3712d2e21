package manila

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// rule lets somebody mount a share.
type rule struct {
	ID        string `json:"id"`
	ShareID   string `json:"share_id"`
	Kind      string `json:"access_type"`
	To        string `json:"access_to"`
	Level     string `json:"access_level"`
	CreatedAt string `json:"created_at"`
}

func (a rule) show() map[string]any {
	return map[string]any{"id": a.ID, "share_id": a.ShareID, "access_type": a.Kind, "access_to": a.To, "access_level": a.Level,
		"state": "active", "access_key": nil, "created_at": a.CreatedAt, "updated_at": nil, "metadata": map[string]any{}}
}

func (m *Manila) accessRoutes() {
	m.handle("GET", "/share-access-rules", func(r *fabric.Request) error {
		if !r.Version.AtLeast(2, 45) {
			return absent()
		}
		s, err := m.share(r.Identity, r.URL.Query().Get("share_id"))
		if err == nil && !r.Sees(s.Project) {
			err = absent()
		}
		if err != nil {
			return err
		}
		list := []any{}
		for _, a := range m.rules.List(func(a rule) bool { return a.ShareID == s.ID }) {
			shown := a.show()
			delete(shown, "share_id")
			list = append(list, shown)
		}
		return r.JSON(http.StatusOK, map[string]any{"access_list": list})
	})
}

// actOnShare does one action on a share.
func (m *Manila) actOnShare(r *fabric.Request) error {
	s, err := m.own(r, "share:action")
	if err != nil {
		return err
	}
	name, arg, err := r.Action()
	if err != nil {
		return err
	}
	switch name {
	case "allow_access":
		return m.allow(r, s, arg)
	case "deny_access":
		var ask struct {
			ID string `json:"access_id"`
		}
		if err := json.Unmarshal(arg, &ask); err != nil {
			return fabric.BadRequest("Malformed request body: %v", err)
		}
		if a, ok := m.rules.Get(ask.ID); !ok || a.ShareID != s.ID {
			return absent()
		}
		m.rules.Delete(ask.ID)
		return r.Empty(http.StatusAccepted)
	case "reset_status":
		return m.resetTo(r, "share", arg, func(status string) error {
			_, err := m.change(s.ID, func(s *share) error { s.Status = status; return nil })
			return err
		})
	}
	return fabric.BadRequest("There is no such action: %s", name)
}

func (m *Manila) allow(r *fabric.Request, s share, arg json.RawMessage) error {
	a := rule{ID: fabric.NewID(), ShareID: s.ID, Level: "rw", CreatedAt: fabric.Micros(m.fab.Clock.Now())}
	var ask struct {
		Kind  string `json:"access_type"`
		To    string `json:"access_to"`
		Level string `json:"access_level"`
	}
	if err := json.Unmarshal(arg, &ask); err != nil {
		return fabric.BadRequest("Malformed request body: %v", err)
	}
	if !slices.Contains([]string{"ip", "user", "cert"}, ask.Kind) || ask.To == "" {
		return fabric.BadRequest("Only 'ip', 'user', 'cert' or 'cephx' access types are supported.")
	}
	if s.Status != available {
		return fabric.BadRequest("Invalid share: New access rules cannot be applied while the share or any of its replicas or migration copies lacks a valid host or is not in an available state.")
	}
	a.Kind, a.To = ask.Kind, ask.To
	if ask.Level != "" {
		a.Level = ask.Level
	}
	err := m.fab.Atomic(func() error {
		if len(m.rules.List(func(o rule) bool { return o.ShareID == s.ID && o.Kind == a.Kind && o.To == a.To })) > 0 {
			return fabric.BadRequest("Share access %s:%s exists.", a.Kind, a.To)
		}
		m.rules.Put(a.ID, a)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"access": a.show()})
}

// reset does the administrators' action reset_status.
func (m *Manila) reset(r *fabric.Request, noun string, set func(status string) error) error {
	name, arg, err := r.Action()
	if err != nil {
		return err
	}
	if name != "reset_status" {
		return fabric.BadRequest("There is no such action: %s", name)
	}
	return m.resetTo(r, noun, arg, set)
}

func (m *Manila) resetTo(r *fabric.Request, noun string, arg json.RawMessage, set func(status string) error) error {
	if !r.Admin() {
		return fabric.Forbidden("Policy doesn't allow %s:reset_status to be performed.", noun)
	}
	var ask struct{ Status string }
	if err := json.Unmarshal(arg, &ask); err != nil || ask.Status == "" {
		return fabric.BadRequest("Must specify 'status'")
	}
	if err := set(ask.Status); err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}
