package replication_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	project = "0123456789abcdef0123456789abcdef"
	cpID    = "0a1b2c3d-0001-4002-8003-000000000001"
	volume  = karbor.NodeKey("volume/0a1b2c3d-0001-4002-8003-0000000000aa")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// side opens a bank for an owner that has the lease. end closes it.
func side(t testing.TB, b bank.Bank, owner string, keys ...*keyring.Source) (s replication.Side, end func()) {
	t.Helper()
	o := checkpoint.Options{Owner: owner, Now: time.Now}
	end = func() {}
	if len(keys) > 0 {
		domains, err := repository.NewDomains(repository.Options{Bank: b, Keys: keys, Now: time.Now})
		must(t, err)
		s.Domains, o.Sealer = domains, domains
		// A bank that has died meanwhile does not let its sessions end.
		end = func() { _ = domains.Close(context.WithoutCancel(t.Context())) }
	}
	var err error
	s.Checkpoints, err = checkpoint.Open(t.Context(), b, o)
	must(t, err)
	return s, end
}

func content() []byte {
	out := make([]byte, 700_000)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(out[:300_000])
	copy(out[600_000:], "the end")
	return out
}

// protect makes a checkpoint with a volume and a server, and a document of each.
func protect(t testing.TB, s replication.Side) {
	t.Helper()
	protectWith(t, s, checkpoint.Change{Size: 700_000})
}

// protectWith is protect, and says what the checkpoint counts.
func protectWith(t testing.TB, s replication.Side, counts checkpoint.Change) {
	t.Helper()
	must(t, s.Checkpoints.Lease().Acquire(t.Context()))
	graph := &karbor.Graph{}
	v := graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: "0a1b2c3d-0001-4002-8003-0000000000aa", Name: "data"}, "")
	server := graph.Add(karbor.Resource{Type: karbor.ServerType, ID: "0a1b2c3d-0001-4002-8003-0000000000bb", Name: "web"}, "")
	graph.Connect(server, v)
	must(t, s.Checkpoints.Create(t.Context(), karbor.Checkpoint{ID: cpID, ProjectID: project, ProviderID: "provider", Graph: graph,
		Plan: karbor.PlanRecord{ID: "plan", Name: "shop", ProviderID: "provider"}, CreatedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}))
	for _, node := range graph.Nodes() {
		d, err := s.Checkpoints.Documents(project, cpID, node.Key())
		must(t, err)
		must(t, d.CreateJSON(t.Context(), "metadata", map[string]string{"name": "<" + node.Name + ">"}))
	}
	w, err := streams(t, s).Create(t.Context(), "volume")
	must(t, err)
	_, err = w.Write(content())
	must(t, err)
	_, err = w.Commit(t.Context())
	must(t, err)
	must(t, s.Checkpoints.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, counts))
}

func streams(t testing.TB, s replication.Side) *repository.Streams {
	t.Helper()
	section, err := s.Checkpoints.Data(project, cpID, volume)
	must(t, err)
	out, err := repository.NewStreams(repository.StreamsOptions{Domains: s.Domains, Project: project, Section: section})
	must(t, err)
	return out
}

// same wants the copy to be what the original is.
func same(t testing.TB, from, to replication.Side) {
	t.Helper()
	want, err := from.Checkpoints.Get(t.Context(), project, cpID)
	must(t, err)
	got, err := to.Checkpoints.Get(t.Context(), project, cpID)
	must(t, err)
	want.UpdatedAt = got.UpdatedAt
	if diff := cmp.Diff(fmt.Sprintf("%+v %v", want.Plan, want.Graph.Nodes()[0]), fmt.Sprintf("%+v %v", got.Plan, got.Graph.Nodes()[0])); diff != "" ||
		got.Status != karbor.CheckpointAvailable || got.Size != want.Size || !got.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("the copy is %+v: %s", got, diff)
	}
	for _, node := range want.Graph.Nodes() {
		d, err := to.Checkpoints.Documents(project, cpID, node.Key())
		must(t, err)
		var text map[string]string
		if err := d.GetJSON(t.Context(), "metadata", &text); err != nil || text["name"] != "<"+node.Name+">" {
			t.Errorf("the document of %s is %v, %v", node.Key(), text, err)
		}
	}
	r, err := streams(t, to).Open(t.Context(), "volume")
	must(t, err)
	bytesThere, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(bytesThere, content()) {
		t.Errorf("%d other bytes, %v", len(bytesThere), err)
	}
}

func TestCopiesAreWhatTheOriginalIs(t *testing.T) {
	one, two := keyring.Key(keyring.NewKey()), keyring.Key(keyring.NewKey())
	for name, test := range map[string]struct {
		from, to          []*keyring.Source
		anew, inTheClear  bool
		refused, wantSame bool
	}{
		"clear to clear":                    {},
		"clear to encrypted":                {to: []*keyring.Source{one}},
		"one key":                           {from: []*keyring.Source{one}, to: []*keyring.Source{one}, wantSame: true},
		"one key, anew":                     {from: []*keyring.Source{one}, to: []*keyring.Source{one}, anew: true},
		"two keys":                          {from: []*keyring.Source{one}, to: []*keyring.Source{two}},
		"encrypted to clear":                {from: []*keyring.Source{one}, refused: true},
		"encrypted to clear, if it is said": {from: []*keyring.Source{one}, inTheClear: true},
	} {
		t.Run(name, func(t *testing.T) {
			from, endFrom := side(t, banktest.NewMemory(), "a", test.from...)
			defer endFrom()
			protect(t, from)
			to, endTo := side(t, banktest.NewMemory(), "b", test.to...)
			defer endTo()
			must(t, to.Checkpoints.Lease().Acquire(t.Context()))
			c := &replication.Copier{From: from, To: to, Anew: test.anew, InTheClear: test.inTheClear}
			checked, checkErr := c.Check(t.Context(), project, cpID)
			r, err := c.Copy(t.Context(), project, cpID)
			if test.refused {
				if karbor.KindOf(err) != karbor.Conflict || karbor.KindOf(checkErr) != karbor.Conflict {
					t.Errorf("it is not refused: %v, %v", err, checkErr)
				}
				return
			}
			must(t, errors.Join(err, checkErr))
			if checked.Size != 700_000 || r.Size != 700_000 || r.Undecoded != test.wantSame {
				t.Errorf("checked %+v, copied %+v", checked, r)
			}
			same(t, from, to)
			if again, err := c.Copy(t.Context(), project, cpID); err != nil || !again.Present {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

// TestACopyThatIsBrokenOffGoesOn lets the target's bank die at each of its calls in turn.
func TestACopyThatIsBrokenOffGoesOn(t *testing.T) {
	key := keyring.Key(keyring.NewKey())
	from, endFrom := side(t, banktest.NewMemory(), "a", key)
	defer endFrom()
	protect(t, from)
	for nth := 1; ; nth++ {
		m := banktest.NewMemory()
		faulty := banktest.NewFaulty(m)
		to, end := side(t, faulty, "b", key)
		must(t, to.Checkpoints.Lease().Acquire(t.Context()))
		faulty.Add(banktest.Fault{Method: banktest.Any, Nth: nth, Onward: true})
		_, err := (&replication.Copier{From: from, To: to}).Copy(t.Context(), project, cpID)
		end()
		// Another process goes on, under the same name.
		next, endNext := side(t, m, "b", key)
		must(t, next.Checkpoints.Lease().Acquire(t.Context()))
		if now, overviewErr := next.Checkpoints.Overview(t.Context(), project, cpID); err != nil && overviewErr == nil && now.Status == karbor.CheckpointAvailable {
			// Only the removal of the claim may have failed: then all is there.
			same(t, from, next)
		}
		if _, err := (&replication.Copier{From: from, To: next}).Copy(t.Context(), project, cpID); err != nil {
			t.Fatalf("after call %d had failed: %v", nth, err)
		}
		same(t, from, next)
		endNext()
		if err == nil {
			if nth < 20 {
				t.Errorf("a copy took %d calls only", nth)
			}
			return
		}
	}
}

func TestWhatIsThereAlreadyDoesNotTravel(t *testing.T) {
	key := keyring.Key(keyring.NewKey())
	from, endFrom := side(t, banktest.NewMemory(), "a", key)
	defer endFrom()
	protect(t, from)
	to, endTo := side(t, banktest.NewMemory(), "b", key)
	defer endTo()
	must(t, to.Checkpoints.Lease().Acquire(t.Context()))
	for _, test := range []struct {
		id          string
		least, most int64
	}{{"0a1b2c3d-0001-4002-8003-0000000000c1", 300_000, 700_000}, {"0a1b2c3d-0001-4002-8003-0000000000c2", 0, 10_000}} {
		var travelled, done int64
		c := &replication.Copier{From: from, To: to,
			As: func(original karbor.Checkpoint) karbor.Checkpoint {
				original.ID = test.id
				return original
			},
			Travelled: func(bytes int64) { travelled = bytes },
			Progress:  func(now, _ int64) { done = now },
		}
		_, err := c.Copy(t.Context(), project, cpID)
		must(t, err)
		if travelled < test.least || travelled > test.most || done != 700_000 {
			t.Errorf("of copy %s, %d bytes are done, and %d travelled", test.id, done, travelled)
		}
	}
}
