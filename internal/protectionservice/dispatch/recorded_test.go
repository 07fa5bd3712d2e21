package dispatch

import (
	"context"
	"errors"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

func TestWhatMayHaveBegunIsHandedOverOnlyIfItIsNotOver(t *testing.T) {
	lost := func(t *testing.T, s *store.Store, id string) error {
		return errors.Join(s.Dispatched(t.Context(), id), s.Restart(t.Context(), id))
	}
	// The process, and the engine, went before the outbox was cleared.
	begun := func(t *testing.T, s *store.Store, id string) error {
		rows, err := s.Resources(t.Context(), id)
		if err != nil {
			return err
		}
		return s.UpdateResource(t.Context(), id, rows[0].Key, func(r *store.ResourceRecord) error {
			r.Started = true
			return nil
		})
	}
	for name, test := range map[string]struct {
		before         func(t *testing.T, s *store.Store, id string) error
		over           bool
		why            error
		asked, started int
	}{
		"new":                          {started: 1, over: true},
		"lost by its engine, and over": {before: lost, over: true, asked: 1},
		"lost by its engine":           {before: lost, asked: 1, started: 1},
		"begun, and over":              {before: begun, over: true, asked: 1},
		"the bank can't say":           {before: begun, why: karbor.Transientf("the bank is away"), asked: 1, started: 1},
		"its end can't be recorded":    {before: begun, over: true, why: karbor.Transientf("the database is away"), asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := scripted{started: make(chan string, 10)}
			d, s := desk(t, e, 0, plain)
			asked := 0
			d.recorded = func(context.Context, store.Operation) (bool, error) { asked++; return test.over, test.why }
			id := accepted(t, s)
			if test.before != nil {
				if err := test.before(t, s, id); err != nil {
					t.Fatal(err)
				}
			}
			err := d.start(t.Context(), id, map[string]bool{})
			if failed := test.over && test.why != nil; failed != (err != nil) || asked != test.asked || len(e.started) != test.started {
				t.Errorf("it was asked %d times, and started %d times: %v", asked, len(e.started), err)
			}
		})
	}
}
