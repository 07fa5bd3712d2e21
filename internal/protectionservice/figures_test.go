package protectionservice_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

// stored gives a hook that stores bytes, or finds them stored by an earlier run.
func stored(data []byte) protection.Hook {
	return func(ctx context.Context, c *protection.Call) error {
		summary, err := c.Data.Stat(ctx, "data")
		if err == nil {
			c.Progress(summary.Size, summary.Size)
			return nil
		}
		w, err := c.Data.Create(ctx, "data")
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		if summary, err = w.Commit(ctx); err != nil {
			return err
		}
		c.Progress(summary.Size, summary.Size)
		// The next run finds the data complete, and must know the figures all the same.
		return karbor.Transientf("once more")
	}
}

func TestFiguresTellWhatACheckpointAddedToTheBank(t *testing.T) {
	data := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data[:2<<20]) // never fails
	key := filepath.Join(t.TempDir(), "bank.key")
	if err := keyring.WriteKeyFile(key); err != nil {
		t.Fatal(err)
	}
	const size, random = 3 << 20, 2 << 20
	for name, test := range map[string]struct {
		repository string
		hidden     bool
		// most is how many bytes the second checkpoint adds at most.
		most int64
	}{
		"in the clear":         {most: size},
		"a domain per project": {repository: "repository: {keys: [{file: " + key + "}]}\n", most: 4096},
		"one domain":           {repository: "repository: {keys: [{file: " + key + "}], domain: provider}\n", hidden: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.repository = test.repository
			s.restart()
			s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: stored(data)})
			plan := s.plan(volume("v1"))
			first, second := s.until(s.protect(plan)), s.until(s.protect(plan))
			for n, cp := range []karbor.Checkpoint{first, second} {
				f, ok := cp.Figures["OS::Cinder::Volume#v1"]
				if !ok || len(cp.Figures) != 1 || f.Size != size || cp.Size != size || (f.New == nil) != test.hidden || (f.Stored == nil) != test.hidden {
					t.Fatalf("checkpoint %d: %+v, %+v", n+1, cp.Status, cp.Figures)
				}
				if test.hidden {
					continue
				}
				least, most := int64(random), int64(size)+100_000
				if n == 1 && test.repository != "" {
					least, most = 0, test.most
				}
				if *f.New > most || *f.New < least || *f.Stored > most || *f.Stored < least {
					t.Errorf("checkpoint %d: %d new bytes, %d stored", n+1, *f.New, *f.Stored)
				}
			}
			// A service that has lost its database has them from the bank.
			s.forgetDatabase()
			s.start()
			var again karbor.Checkpoint
			s.poll(func() bool {
				again, _ = s.store.Checkpoint(t.Context(), projectID, providerID, first.ID)
				return again.ID != ""
			})
			if diff := cmp.Diff(first.Figures, again.Figures); diff != "" {
				t.Error(diff)
			}
		})
	}
}
