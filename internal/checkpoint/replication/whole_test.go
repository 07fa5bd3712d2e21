package replication_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
)

func TestACheckpointOfWhichAStreamIsNotListedIsNotCopied(t *testing.T) {
	figures := map[string]karbor.Figures{"OS::Cinder::Volume#0a1b2c3d-0001-4002-8003-0000000000aa": {Size: 700_000}}
	for name, test := range map[string]struct {
		lags    bool
		figures map[string]karbor.Figures
		says    string
	}{
		"it is lost":                    {false, figures, "of the data of " + string(volume) + ", 0 of 700000 bytes are there"},
		"it is lost, without figures":   {false, nil, "of the data of all its resources, 0 of 700000 bytes are there"},
		"the listing may show it later": {true, figures, "lists 0 of 700000 bytes of the data of " + string(volume) + " so far"},
	} {
		t.Run(name, func(t *testing.T) {
			m := banktest.NewMemory()
			writer, endWriter := side(t, m, "one")
			defer endWriter()
			protectWith(t, writer, checkpoint.Change{Size: 700_000, Figures: test.figures})
			from, endFrom := side(t, laggard{m, "/manifest"}, "one")
			defer endFrom()
			from.Lags = test.lags
			to, endTo := side(t, banktest.NewMemory(), "two")
			defer endTo()
			must(t, to.Checkpoints.Lease().Acquire(t.Context()))
			_, err := (&replication.Copier{From: from, To: to, Counted: true}).Copy(t.Context(), project, cpID)
			if _, damaged := errors.AsType[*checkpoint.DamageError](err); err == nil || damaged == test.lags || karbor.IsTransient(err) != test.lags ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("it is refused with %v", err)
			}
			if o, err := to.Checkpoints.Overview(t.Context(), project, cpID); karbor.KindOf(err) != karbor.NotFound {
				t.Errorf("there is a copy that is %s, %v", o.Status, err)
			}
			from, endFrom = side(t, m, "one")
			defer endFrom()
			if _, err := (&replication.Copier{From: from, To: to, Counted: true}).Copy(t.Context(), project, cpID); err != nil {
				t.Errorf("once all is listed: %v", err)
			}
		})
	}
}

func TestACopyThatIsThereNeedsNoSource(t *testing.T) {
	from, endFrom := side(t, banktest.NewMemory(), "one")
	defer endFrom()
	to, endTo := side(t, banktest.NewMemory(), "two")
	defer endTo()
	protect(t, from)
	must(t, to.Checkpoints.Lease().Acquire(t.Context()))
	if _, err := (&replication.Copier{From: from, To: to, As: as}).Copy(t.Context(), project, cpID); err != nil {
		t.Fatal(err)
	}
	gone, endGone := side(t, banktest.NewMemory(), "one")
	defer endGone()
	if r, err := (&replication.Copier{From: gone, To: to, As: as}).Copy(t.Context(), project, cpID); err != nil || !r.Present {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestACheckpointThatHasLostADocumentIsNotCopied(t *testing.T) {
	m := banktest.NewMemory()
	from, endFrom := side(t, m, "one")
	defer endFrom()
	to, endTo := side(t, banktest.NewMemory(), "two")
	defer endTo()
	protect(t, from)
	must(t, to.Checkpoints.Lease().Acquire(t.Context()))
	for key := range m.Snapshot() {
		if strings.HasSuffix(key, "/documents/metadata") {
			must(t, m.Delete(t.Context(), key))
		}
	}
	copier := &replication.Copier{From: from, To: to}
	if _, err := copier.Check(t.Context(), project, cpID); !errors.As(err, new(*checkpoint.DamageError)) {
		t.Errorf("it is checked: %v", err)
	}
	if _, err := copier.Copy(t.Context(), project, cpID); !errors.As(err, new(*checkpoint.DamageError)) || !strings.Contains(err.Error(), "documents/metadata") {
		t.Errorf("it is copied: %v", err)
	}
	if o, err := to.Checkpoints.Overview(t.Context(), project, cpID); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("there is a copy that is %s, %v", o.Status, err)
	}
}

func TestACheckpointThatHasLostItsListOfContentsIsCopiedAndThatIsTold(t *testing.T) {
	m := banktest.NewMemory()
	from, endFrom := side(t, m, "one")
	defer endFrom()
	to, endTo := side(t, banktest.NewMemory(), "two")
	defer endTo()
	protect(t, from)
	must(t, to.Checkpoints.Lease().Acquire(t.Context()))
	for key := range m.Snapshot() {
		if strings.Contains(key, "/contents/") {
			must(t, m.Delete(t.Context(), key))
		}
	}
	copier := &replication.Copier{From: from, To: to, Counted: true}
	for _, do := range []func(context.Context, string, string) (replication.Result, error){copier.Check, copier.Copy} {
		if r, err := do(t.Context(), project, cpID); err != nil || r.Size != 700_000 || r.Unlisted != "its list of contents is missing" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if o, err := to.Checkpoints.Overview(t.Context(), project, cpID); err != nil || o.Contents == "" {
		t.Errorf("the copy is %+v, %v", o, err)
	}
	must(t, to.Checkpoints.Whole(t.Context(), project, cpID))
}
