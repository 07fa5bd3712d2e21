package protection

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
)

// DefaultSettle is how long a cloud may take to carry out what it has not answered.
const DefaultSettle = 30 * time.Second

// Intents are the things that a node's hooks have asked the cloud to make without
// knowing the answer: the process may have died, the answer may have been lost.
// The cloud may still make them for a while, the settling time; who looks for them
// before it is over can't say that they are not there. They are kept in the scratch
// record, and are safe for concurrent use. openstack.Make writes them.
type Intents struct {
	scratch Scratch
	now     func() time.Time
	settle  time.Duration

	mu     sync.Mutex
	loaded bool
	open   map[string]time.Time
}

// NewIntents gives the intents that lie in a scratch record. settle is the settling
// time; 0 means that the cloud does nothing behind anybody's back.
func NewIntents(s Scratch, now func() time.Time, settle time.Duration) *Intents {
	return &Intents{scratch: s, now: now, settle: settle}
}

// Scratch gives the scratch record for the hooks: what they save leaves the intents
// as they are. What is saved must be a JSON object.
func (i *Intents) Scratch() Scratch { return intentScratch{i} }

// Begin records, durably, that what is being asked for. name tells the things of one
// node apart, in words that a tenant may read.
func (i *Intents) Begin(ctx context.Context, name string) error {
	return i.change(ctx, func() { i.open[name] = i.now() })
}

// Answered records that the cloud has answered: from now on what it made is found.
func (i *Intents) Answered(ctx context.Context, name string) error {
	return i.change(ctx, func() { delete(i.open, name) })
}

// Unsettled gives how long the cloud may still take to make a thing that it was asked
// for and gave no answer for; 0 if there is none.
func (i *Intents) Unsettled(ctx context.Context, name string) (time.Duration, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.load(ctx); err != nil {
		return 0, err
	}
	return i.left(name), nil
}

// Pending names the things that the cloud may still make.
func (i *Intents) Pending(ctx context.Context) ([]string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.load(ctx); err != nil {
		return nil, err
	}
	var names []string
	for name := range i.open {
		if i.left(name) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// left gives what is left of the settling time. The caller holds the lock.
func (i *Intents) left(name string) time.Duration {
	asked, open := i.open[name]
	if !open {
		return 0
	}
	// The clock of another process may be ahead.
	return min(i.settle, asked.Add(i.settle).Sub(i.now()))
}

// intentMember is the member of the scratch record that holds the intents.
const intentMember = "karbor_intents"

func (i *Intents) load(ctx context.Context) error {
	if i.loaded {
		return nil
	}
	var kept struct {
		Open map[string]time.Time `json:"karbor_intents"`
	}
	if err := i.scratch.Load(ctx, &kept); err != nil {
		return err
	}
	i.open, i.loaded = kept.Open, true
	if i.open == nil {
		i.open = map[string]time.Time{}
	}
	return nil
}

func (i *Intents) change(ctx context.Context, change func()) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.load(ctx); err != nil {
		return err
	}
	change()
	record := map[string]json.RawMessage{}
	if err := i.scratch.Load(ctx, &record); err != nil {
		return err
	}
	return i.save(ctx, record)
}

func (i *Intents) save(ctx context.Context, record map[string]json.RawMessage) error {
	delete(record, intentMember)
	if len(i.open) > 0 {
		text, err := json.Marshal(i.open)
		if err != nil {
			return fmt.Errorf("encoding the intents: %w", err)
		}
		record[intentMember] = text
	}
	return i.scratch.Save(ctx, record)
}

// intentScratch is a scratch record that keeps the intents.
type intentScratch struct{ intents *Intents }

func (s intentScratch) Load(ctx context.Context, v any) error { return s.intents.scratch.Load(ctx, v) }

func (s intentScratch) Save(ctx context.Context, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the scratch record: %w", err)
	}
	record := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &record); err != nil {
		return fmt.Errorf("a scratch record must be a JSON object: %w", err)
	}
	s.intents.mu.Lock()
	defer s.intents.mu.Unlock()
	if err := s.intents.load(ctx); err != nil {
		return err
	}
	return s.intents.save(ctx, record)
}

// Undo runs an Undo hook as the service does. As long as the cloud may still make
// what it was asked for without an answer, the hook has not seen all: the error is
// then a transient one, and the hook has to run again.
//
// Where the hook's cloud has not what it needs (karbor.NotImplemented), as its region has no such service,
// and the hooks have never kept anything, they had not got further either: there is nothing to undo.
func Undo(ctx context.Context, hook Hook, call *Call) error {
	err := undo(ctx, hook, call)
	if err == nil || karbor.KindOf(err) != karbor.NotImplemented || call.Scratch == nil {
		return err
	}
	var kept map[string]json.RawMessage
	if unread := call.Scratch.Load(ctx, &kept); unread != nil {
		return unread
	}
	if kept != nil {
		return err
	}
	return nil
}

func undo(ctx context.Context, hook Hook, call *Call) error {
	if call.Intents == nil {
		return hook(ctx, call)
	}
	pending, err := call.Intents.Pending(ctx)
	if err != nil {
		return err
	}
	if err := hook(ctx, call); err != nil || len(pending) == 0 {
		return err
	}
	return karbor.Transientf("the cloud did not answer when it was asked for this, and may still make it: %s", strings.Join(pending, ", "))
}
