package checkpoint

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// state is the document of one state of a checkpoint. All of it stays in the
// clear, so it holds ids, times and sizes, and no names.
type state struct {
	Layout       int                     `json:"layout"`
	Sequence     int                     `json:"sequence"`
	CheckpointID string                  `json:"checkpoint_id"`
	ProjectID    string                  `json:"project_id"`
	ProviderID   string                  `json:"provider_id"`
	PlanID       string                  `json:"plan_id"`
	Status       karbor.CheckpointStatus `json:"status"`
	Owner        string                  `json:"owner"`
	CreatedAt    time.Time               `json:"created_at"`
	UpdatedAt    time.Time               `json:"updated_at"`
	Size         int64                   `json:"size"`
	// Reasons is the digest under which the reasons lie, or "".
	Reasons string `json:"reasons,omitempty"`
	// Figures is the digest under which the figures lie, or "".
	Figures string `json:"figures,omitempty"`
	// Contents is the digest under which the list of contents lies, or "".
	Contents string `json:"contents,omitempty"`
}

// next lists the states that may follow each state. A working state may follow
// itself: then another owner has taken over.
var next = map[karbor.CheckpointStatus][]karbor.CheckpointStatus{
	karbor.CheckpointProtecting: {karbor.CheckpointProtecting, karbor.CheckpointAvailable, karbor.CheckpointError},
	karbor.CheckpointAvailable:  {karbor.CheckpointError, karbor.CheckpointDeleting},
	karbor.CheckpointError:      {karbor.CheckpointAvailable, karbor.CheckpointDeleting},
	karbor.CheckpointDeleting: {karbor.CheckpointDeleting, karbor.CheckpointErrorDeleting, karbor.CheckpointDeleted,
		karbor.CheckpointError, karbor.CheckpointAvailable},
	karbor.CheckpointErrorDeleting: {karbor.CheckpointDeleting, karbor.CheckpointError, karbor.CheckpointAvailable},
	karbor.CheckpointDeleted:       nil,
}

// working reports whether an owner is at work on a checkpoint in this state.
func working(s karbor.CheckpointStatus) bool {
	return s == karbor.CheckpointProtecting || s == karbor.CheckpointDeleting
}

// valid reports whether the document is what its key says it is. Only a valid
// state counts.
func (s *state) valid(project, id string, n int) bool {
	_, known := next[s.Status]
	return known && s.Layout == layout && s.Sequence == n && s.ProjectID == project && s.CheckpointID == id &&
		isPart(s.ProviderID) && isPart(s.PlanID) && s.Size >= 0
}

// checkpoint gives what a state tells of the checkpoint, which is what always lies in
// the clear.
func (s *state) checkpoint() karbor.Checkpoint {
	return karbor.Checkpoint{
		ID: s.CheckpointID, ProjectID: s.ProjectID, ProviderID: s.ProviderID, Status: s.Status,
		Plan: karbor.PlanRecord{ID: s.PlanID, ProviderID: s.ProviderID}, Graph: &karbor.Graph{},
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Size: s.Size,
	}
}

// newest gives the newest valid state of a checkpoint, or nil if it has none.
// Its Sequence is that of the newest object, valid or not.
func (c *Checkpoints) newest(ctx context.Context, project, id string) (*state, error) {
	numbers, err := c.sequences(ctx, statesPrefix(project, id))
	if err != nil {
		return nil, err
	}
	return c.newestOf(ctx, project, id, numbers)
}

// newestOf is newest with the sequence numbers that there are, ascending.
func (c *Checkpoints) newestOf(ctx context.Context, project, id string, numbers []int) (*state, error) {
	for _, n := range slices.Backward(numbers) {
		s := &state{}
		err := bank.GetJSON(ctx, c.bank, stateKey(project, id, n), s)
		var bad *bank.DecodeError
		switch {
		case errors.As(err, &bad) || karbor.KindOf(err) == karbor.NotFound:
			continue
		case err != nil:
			return nil, err
		case s.valid(project, id, n):
			s.Sequence = numbers[len(numbers)-1]
			return s, nil
		}
	}
	return nil, nil
}

// sequences lists the sequence numbers under a prefix, ascending.
func (c *Checkpoints) sequences(ctx context.Context, prefix string) ([]int, error) {
	return sequences(ctx, c.bank, prefix)
}

func sequences(ctx context.Context, b bank.Bank, prefix string) ([]int, error) {
	var numbers []int
	err := eachKey(ctx, b, prefix, func(key string) error {
		if n, ok := parseSequence(strings.TrimPrefix(key, prefix)); ok {
			numbers = append(numbers, n)
		}
		return nil
	})
	return numbers, err
}

// eachKey calls fn with each key under prefix, in order.
func eachKey(ctx context.Context, b bank.Bank, prefix string, fn func(key string) error) error {
	return eachInfoAfter(ctx, b, prefix, "", func(i bank.Info) error { return fn(i.Key) })
}

// eachInfoAfter is eachKey for the keys behind a marker, with all that the listing tells.
func eachInfoAfter(ctx context.Context, b bank.Bank, prefix, marker string, fn func(bank.Info) error) error {
	for {
		infos, err := b.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return err
		}
		for _, i := range infos {
			if err := fn(i); err != nil {
				return err
			}
			marker = i.Key
		}
		if len(infos) < bank.MaxList {
			return nil
		}
	}
}
