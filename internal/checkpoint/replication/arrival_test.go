package replication_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint/replication"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

const copyID = "0a1b2c3d-0001-4002-8003-0000000000cc"

// as gives the copy an id of its own.
func as(original karbor.Checkpoint) karbor.Checkpoint {
	original.ID = copyID
	return original
}

// liar is a bank that says that it has stored an object, and has stored another one.
type liar struct {
	bank.Bank
	part string
}

func (l liar) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if strings.Contains(key, l.part) {
		text[len(text)/2] ^= 1
	}
	return l.Bank.Create(ctx, key, bytes.NewReader(text), size)
}

// laggard is a bank whose listings leave out some of what is there.
type laggard struct {
	bank.Bank
	part string
}

func (l laggard) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	infos, err := l.Bank.List(ctx, prefix, marker, limit)
	return slices.DeleteFunc(infos, func(i bank.Info) bool { return strings.Contains(i.Key, l.part) }), err
}

func TestACopyMayHaveAnIDOfItsOwn(t *testing.T) {
	key := keyring.Key(keyring.NewKey())
	for name, keys := range map[string][]*keyring.Source{"in the clear": nil, "with a key": {key}} {
		t.Run(name, func(t *testing.T) {
			from, endFrom := side(t, banktest.NewMemory(), "one", keys...)
			defer endFrom()
			to, endTo := side(t, banktest.NewMemory(), "two", keys...)
			defer endTo()
			protect(t, from)
			must(t, to.Checkpoints.Lease().Acquire(t.Context()))
			c := &replication.Copier{From: from, To: to, As: as, Arrival: &replication.Arrival{State: verification.NewState()}}
			for again := range 2 {
				r, err := c.Copy(t.Context(), project, cpID)
				if err != nil || r.Present != (again > 0) {
					t.Fatalf("%+v, %v", r, err)
				}
			}
			got, err := to.Checkpoints.Get(t.Context(), project, copyID)
			if err != nil || got.Status != karbor.CheckpointAvailable || len(got.Graph.Nodes()) != 2 {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := to.Checkpoints.Get(t.Context(), project, cpID); karbor.KindOf(err) != karbor.NotFound {
				t.Errorf("the original's id is there, too: %v", err)
			}
		})
	}
}

func TestWhatDoesNotArriveWholeIsNotPublished(t *testing.T) {
	key := keyring.Key(keyring.NewKey())
	for name, test := range map[string]struct {
		keys []*keyring.Source
		part string
	}{
		"a chunk in the clear": {nil, "/data/volume/"},
		"a pack":               {[]*keyring.Source{key}, "/packs/"},
		"a sealed document":    {[]*keyring.Source{key}, "/documents/"},
	} {
		t.Run(name, func(t *testing.T) {
			from, endFrom := side(t, banktest.NewMemory(), "one", test.keys...)
			defer endFrom()
			to, endTo := side(t, laggard{liar{banktest.NewMemory(), test.part}, "/documents/"}, "two", test.keys...)
			defer endTo()
			protect(t, from)
			must(t, to.Checkpoints.Lease().Acquire(t.Context()))
			c := &replication.Copier{From: from, To: to, As: as, Arrival: &replication.Arrival{State: verification.NewState(), Since: time.Unix(0, 0)}}
			if _, err := c.Copy(t.Context(), project, cpID); err == nil {
				t.Error("the bank's lie is believed")
			}
			if o, err := to.Checkpoints.Overview(t.Context(), project, copyID); err != nil || o.Status != karbor.CheckpointProtecting {
				t.Errorf("what did not arrive is %s, %v", o.Status, err)
			}
		})
	}
}
