package fabric

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Fault is a rule about requests or state changes that shall go wrong. An
// empty field matches all. Requests and state changes are told apart by
// Transition: a rule that has it is about state changes only.
type Fault struct {
	ID      string `json:"id"`
	Service string `json:"service,omitempty"` // keystone, glance, cinder, nova, neutron, manila, trove
	Method  string `json:"method,omitempty"`
	Path    string `json:"path,omitempty"`    // regexp, found anywhere in the URL's path
	Project string `json:"project,omitempty"` // id of the token's project

	// Transition is a regexp for the whole name of a state change, such as
	// "snapshot.create" or "volume\\..*".
	Transition string `json:"transition,omitempty"`

	After int `json:"after,omitempty"` // leave the first n matches alone
	Times int `json:"times,omitempty"` // then act so often; 0: for ever

	Delay Duration `json:"delay,omitempty"` // wait before anything else
	// Status is the answer instead of the service's, with Message as text.
	Status  int    `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	// Header is sent with Status, such as Retry-After with 429.
	Header map[string]string `json:"header,omitempty"`
	// Answer is one of the Answer constants, or empty for Status, or for the
	// service's own answer if that is 0 (with a Delay: late).
	Answer string `json:"answer,omitempty"`
	// CutAfter is how many bytes of the body AnswerCut lets through.
	CutAfter int64 `json:"cut_after,omitempty"`
	// Fail makes the state change end in the state error.
	Fail bool `json:"fail,omitempty"`

	Matched int `json:"matched"` // how many requests it matched so far
	Acted   int `json:"acted"`   // how many of them it changed
}

// What a fault can do in place of a status.
const (
	// AnswerHang gives no answer until the client goes away, the rule is
	// removed, or the cloud is closed.
	AnswerHang = "hang"
	// AnswerClose closes the connection; the service sees nothing.
	AnswerClose = "close"
	// AnswerLose lets the service do its work and then closes the connection
	// without an answer.
	AnswerLose = "lose"
	// AnswerCut closes the connection after CutAfter bytes of the body.
	AnswerCut = "cut"
)

// Duration is a time.Duration that reads and writes as text ("1.5s").
type Duration time.Duration

// MarshalJSON writes the text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads text, or a number of seconds.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case float64:
		*d = Duration(v * float64(time.Second))
		return nil
	case string:
		t, err := time.ParseDuration(v)
		*d = Duration(t)
		return err
	default:
		return fmt.Errorf("a duration is text or a number, not %s", text)
	}
}

// Faults are the rules that hold now. The first rule that acts on a request
// is the only one. Rules are not kept between runs.
type Faults struct {
	mu    sync.Mutex
	next  int
	rules []*rule
}

type rule struct {
	Fault
	path, transition *regexp.Regexp
	removed          chan struct{}
}

// action is what a rule wants done with one request or state change.
type action struct {
	Fault
	removed <-chan struct{}
}

// Add adds a rule after the others and gives its id.
func (f *Faults) Add(fault Fault) (string, error) {
	switch fault.Answer {
	case "", AnswerHang, AnswerClose, AnswerLose, AnswerCut:
	default:
		return "", fmt.Errorf("adding a fault: %q is no answer", fault.Answer)
	}
	if fault.Status != 0 && (fault.Status < 200 || fault.Status > 599) {
		return "", fmt.Errorf("adding a fault: %d is no status", fault.Status)
	}
	path, err := regexp.Compile(fault.Path)
	if err != nil {
		return "", fmt.Errorf("adding a fault: path: %w", err)
	}
	transition, err := regexp.Compile("^(?:" + fault.Transition + ")$")
	if err != nil {
		return "", fmt.Errorf("adding a fault: transition: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	fault.ID, fault.Matched, fault.Acted = fmt.Sprintf("fault-%d", f.next), 0, 0
	f.rules = append(f.rules, &rule{Fault: fault, path: path, transition: transition, removed: make(chan struct{})})
	return fault.ID, nil
}

// Remove removes a rule and frees the requests that hang on it.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.rules, func(r *rule) bool { return r.ID == id })
	if i < 0 {
		return false
	}
	close(f.rules[i].removed)
	f.rules = slices.Delete(f.rules, i, i+1)
	return true
}

// Clear removes all rules.
func (f *Faults) Clear() {
	for _, r := range f.List() {
		f.Remove(r.ID)
	}
}

// List gives the rules with their counts.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Fault, 0, len(f.rules))
	for _, r := range f.rules {
		list = append(list, r.Fault)
	}
	return list
}

// request finds the rule that acts on a request.
func (f *Faults) request(service, method, path, project string) *action {
	return f.first(func(r *rule) bool {
		return r.Transition == "" && (r.Service == "" && service != controlName || r.Service == service) &&
			(r.Method == "" || r.Method == method) && (r.Project == "" || r.Project == project) &&
			r.path.MatchString(path)
	})
}

// change finds the rule that acts on a state change.
func (f *Faults) change(service, name, project string) *action {
	return f.first(func(r *rule) bool {
		return r.Transition != "" && (r.Service == "" || r.Service == service) &&
			(r.Project == "" || r.Project == project) && r.transition.MatchString(name)
	})
}

func (f *Faults) first(matches func(*rule) bool) *action {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !matches(r) {
			continue
		}
		r.Matched++
		if r.Matched <= r.After || r.Times > 0 && r.Acted >= r.Times {
			continue
		}
		r.Acted++
		return &action{Fault: r.Fault, removed: r.removed}
	}
	return nil
}
