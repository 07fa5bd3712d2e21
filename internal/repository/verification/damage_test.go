package verification

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
)

func isPack(key string) bool {
	return strings.Contains(key, "/packs/") || strings.Contains(key, "/pages/")
}

func TestWhatIsCutOffIsFoundAtEveryDepth(t *testing.T) {
	s := newSmall(t)
	for _, key := range keys(t, s.bank, "") {
		good := object(t, s.bank, key)
		for n := 0; n < len(good); n += 1 + len(good)/97 {
			put(t, s.bank, key, good[:n])
			if found := finds(t, s); !found[Quick] || !found[Stored] || !found[Full] {
				t.Fatalf("the first %d bytes of %s are left, and found by %v", n, key, found)
			}
		}
		put(t, s.bank, key, append(slices.Clone(good), 0))
		if found := finds(t, s); !found[Quick] || !found[Stored] || !found[Full] {
			t.Fatalf("%s is longer than it was, and found by %v", key, found)
		}
		put(t, s.bank, key, good)
	}
}

func TestWhatIsMissingIsFoundAtEveryDepth(t *testing.T) {
	s := newSmall(t)
	for _, key := range keys(t, s.bank, "") {
		if strings.HasSuffix(key, "/manifest") {
			continue // a stream without a manifest is none: see TestAMissingManifestHurtsTheStreamThatWasAskedFor
		}
		good := object(t, s.bank, key)
		if err := s.bank.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		found := finds(t, s)
		if strings.Contains(key, "/index/") {
			// The index is a help, never the truth: all is found without it.
			if found[Quick] || found[Full] {
				t.Errorf("without %s all can be read, and that is found by %v", key, found)
			}
		} else if !found[Quick] || !found[Stored] || !found[Full] {
			t.Errorf("%s is missing, and found by %v", key, found)
		}
		put(t, s.bank, key, good)
	}
}

func TestAMissingManifestHurtsTheStreamThatWasAskedFor(t *testing.T) {
	s := newSmall(t)
	key := manifestOf(1, 1)
	stream, ok := ParseStream(key)
	if !ok {
		t.Fatal(key)
	}
	if err := s.bank.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	r, err := Streams(t.Context(), reopen(t, s.bank), []Stream{stream}, options(Quick))
	if err != nil || len(r.Hurt) != 1 || r.Hurt[0].Stream != stream || r.Hurt[0].Sentence() != "its manifest is not there" {
		t.Errorf("%+v, %v", r, err)
	}
}

// One object in the place of another, of the same repository or of another one of the same
// name.
func TestSwappedForeignAndReplayedObjectsAreFound(t *testing.T) {
	s, foreign := newSmall(t), newSmall(t)
	all := keys(t, s.bank, "")
	for _, key := range all {
		good := object(t, s.bank, key)
		for _, from := range []*small{s, foreign} {
			for _, other := range keys(t, from.bank, "") {
				if from == s && other == key {
					continue
				}
				put(t, s.bank, key, object(t, from.bank, other))
				found := finds(t, s)
				// A whole pack in the place of another one is long enough for its own end.
				if !found[Stored] || !found[Full] || !found[Quick] && !(isPack(key) && isPack(other)) {
					t.Errorf("%s lies in the place of %s, and is found by %v", other, key, found)
				}
				put(t, s.bank, key, good)
			}
		}
	}
}

// hurtOf gives what is said of a stream.
func hurtOf(r *Result, key string) *Hurt {
	for i := range r.Hurt {
		if r.Hurt[i].Stream.Key == key {
			return &r.Hurt[i]
		}
	}
	return nil
}

// What is said to be lost is what a reader can't read, and nothing else.
func TestTheStreamsThatAreHurtAreThoseThatCannotBeRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newSmall(t)
		all := slices.DeleteFunc(keys(t, s.bank, ""), func(k string) bool { return strings.HasSuffix(k, "/format") })
		for range rapid.IntRange(1, 3).Draw(r, "faults") {
			key := rapid.SampledFrom(all).Draw(r, "object")
			data := slices.Clone(object(t, s.bank, key))
			switch n := len(data); rapid.SampledFrom([]string{"flip", "cut", "empty"}).Draw(r, "fault") {
			case "flip":
				if n > 0 {
					data[rapid.IntRange(0, n-1).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
				}
			case "cut":
				data = data[:rapid.IntRange(0, n).Draw(r, "to")]
			default:
				data = nil
			}
			put(t, s.bank, key, data)
		}
		d := reopen(t, s.bank)
		for _, depth := range []Depth{Stored, Full} {
			found := domain(t, d, options(depth))
			for key, data := range s.streams {
				h := hurtOf(found, key)
				lost := h != nil && (h.Bytes > 0 || len(h.Packs) == 0)
				if lost == readable(t.Context(), d, key, data) {
					r.Errorf("%s: %s is readable: %v, and it is said: %+v", depth, key, !lost, h)
				}
				if h != nil && h.Stream.Resource == "" {
					r.Errorf("%+v names no resource", h.Stream)
				}
			}
		}
	})
}

func TestADamagedChunkIsNamedWithAllWhoAreHurt(t *testing.T) {
	b := banktest.NewMemory()
	d := newDomain(t, b)
	shared := random(1, 3<<20)
	first, second, third := slices.Concat(shared, random(2, 1<<20)), slices.Concat(random(3, 1<<20), shared), random(4, 1<<20)
	for i, data := range [][]byte{first, second, third} {
		write(t, d, manifestOf(i, i), data)
	}
	packs := keys(t, b, dedup.PacksPrefix(project, 1))
	// The first pack is the first stream's; a chunk at its begin is shared.
	var key string
	for _, k := range packs {
		if len(object(t, b, k)) > 4<<20 {
			key = k
		}
	}
	bad := slices.Clone(object(t, b, key))
	bad[64<<10] ^= 1
	put(t, b, key, bad)
	r := domain(t, d, options(Full))
	if len(r.Damaged) != 1 || r.Damaged[0].Key != key || r.Damaged[0].ChunkCount == 0 || r.Damaged[0].Missing {
		t.Fatalf("damaged: %+v", r.Damaged)
	}
	if len(r.Hurt) != 2 || r.Hurt[0].Stream.Key != manifestOf(0, 0) || r.Hurt[1].Stream.Key != manifestOf(1, 1) {
		t.Fatalf("hurt: %+v", r.Hurt)
	}
	for _, h := range r.Hurt {
		// The group that was changed has up to 1 MiB; the rest of the pack is good.
		if h.Bytes == 0 || h.Bytes > 1<<20 || h.Chunks > int64(r.Damaged[0].ChunkCount) || len(h.Packs) != 1 || h.Packs[0] != r.Damaged[0].Pack {
			t.Errorf("%+v", h)
		}
		for _, id := range h.Lost {
			if !slices.Contains(r.Damaged[0].Chunks, id) {
				t.Errorf("%s is lost, and not damaged", id)
			}
		}
	}
}

// Each operation of the bank fails once: the run fails, or finds what there is.
func TestABankThatFailsIsNotTakenForSound(t *testing.T) {
	for _, damagedToo := range []bool{false, true} {
		s := newSmall(t)
		if damagedToo {
			key := keys(t, s.bank, dedup.PacksPrefix(project, 1))[0]
			bad := slices.Clone(object(t, s.bank, key))
			bad[40] ^= 1
			put(t, s.bank, key, bad)
		}
		for n := 1; ; n++ {
			faulty := banktest.NewFaulty(s.bank)
			d := reopen(t, faulty)
			faulty.Add(banktest.Fault{Method: banktest.Any, Nth: n})
			o := options(Full)
			o.State = NewState()
			r, err := Domain(t.Context(), d, project, o)
			if err == nil && r.Good() == damagedToo {
				t.Fatalf("with call %d failing: %+v", n, r)
			}
			if err != nil && !errors.Is(err, banktest.ErrFault) {
				t.Fatalf("call %d: %v", n, err)
			}
			faulty.Heal()
			// What the broken run has noted is good, and saves the next one the reading.
			again, err := Domain(t.Context(), d, project, o)
			if err != nil || again.Good() == damagedToo {
				t.Fatalf("again after call %d failed: %+v, %v", n, again, err)
			}
			if r != nil {
				break // the fault came too late to be met
			}
		}
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	s := newSmall(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := options(Full)
	o.Progress = func(Progress) { cancel() }
	if _, err := Domain(ctx, reopen(t, s.bank), project, o); !errors.Is(err, context.Canceled) {
		t.Errorf("it gave %v", err)
	}
	if o.State != nil {
		t.Error("the caller's options were changed")
	}
}

var _ bank.Bank = (*banktest.Faulty)(nil)
