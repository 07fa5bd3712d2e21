package record

import (
	"context"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// papers are documents in memory.
type papers map[string]any

func (p papers) CreateJSON(_ context.Context, key string, v any) error {
	p[key] = v
	return nil
}

func (p papers) GetJSON(context.Context, string, any) error { return nil }

func TestOnlyTheNewestAttemptOfAStepThatIsNotOverWritesDocuments(t *testing.T) {
	const step = "main:v"
	claim := func(attempt int) func(context.Context, *store.Store, string) error {
		return func(ctx context.Context, db *store.Store, operation string) error {
			_, err := db.Claim(ctx, operation, step, attempt)
			return err
		}
	}
	for name, test := range map[string]struct {
		// unclaimed is a write of what is no step.
		unclaimed bool
		then      func(ctx context.Context, db *store.Store, operation string) error
		refused   bool
	}{
		"nothing happens":                     {},
		"the attempt is told of again":        {then: claim(2)},
		"a later attempt has the step":        {then: claim(3), refused: true},
		"a later attempt, and it is no step":  {then: claim(3), unclaimed: true},
		"another step is claimed":             {then: other},
		"the operation is over":               {then: end, refused: true},
		"the operation is over, and no steps": {then: end, unclaimed: true},
	} {
		t.Run(name, func(t *testing.T) {
			db, row, _ := restoring(t)
			ctx, kept := t.Context(), papers{}
			if !test.unclaimed {
				var err error
				if ctx, err = db.Claim(ctx, row.operation, step, 2); err != nil {
					t.Fatal(err)
				}
			}
			documents := Documents(kept, db)
			if test.then != nil {
				if err := test.then(t.Context(), db, row.operation); err != nil {
					t.Fatal(err)
				}
			}
			// What a flow that is being stopped still writes is under the same claim.
			err := documents.CreateJSON(context.WithoutCancel(ctx), "metadata", "x")
			if (karbor.KindOf(err) == karbor.Conflict) != test.refused || (err == nil) == test.refused {
				t.Errorf("writing gives %v", err)
			}
			if _, there := kept["metadata"]; there == test.refused {
				t.Errorf("the document is there: %v", there)
			}
		})
	}
}

func other(ctx context.Context, db *store.Store, operation string) error {
	_, err := db.Claim(ctx, operation, "main:w", 3)
	return err
}

func end(ctx context.Context, db *store.Store, operation string) error {
	return db.EndOperation(ctx, operation, store.Outcome{CheckpointStatus: karbor.CheckpointError})
}

func TestWhoCanNotLookWhoHasTheStepWritesNoDocument(t *testing.T) {
	db, row, _ := restoring(t)
	ctx, err := db.Claim(t.Context(), row.operation, "main:v", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	kept := papers{}
	if err := Documents(kept, db).CreateJSON(ctx, "metadata", "x"); err == nil || len(kept) > 0 {
		t.Errorf("writing gives %v, and there is %v", err, kept)
	}
}
