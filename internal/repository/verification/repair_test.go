package verification

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// copyOf gives a bank with the same objects.
func copyOf(t testing.TB, b bank.Bank) *banktest.Memory {
	t.Helper()
	out := banktest.NewMemory()
	for _, key := range keys(t, b, "") {
		put(t, out, key, object(t, b, key))
	}
	return out
}

// damageAll damages the packs of a bank in several ways, and tells which.
func damageAll(t testing.TB, b bank.Bank) (damaged []string) {
	t.Helper()
	for i, key := range slices.DeleteFunc(keys(t, b, ""), func(k string) bool { return !isPack(k) }) {
		data := slices.Clone(object(t, b, key))
		switch i % 3 {
		case 0:
			data[len(data)/2] ^= 1
		case 1:
			data = data[:len(data)-1]
		default:
			if err := b.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			damaged = append(damaged, key)
			continue
		}
		put(t, b, key, data)
		damaged = append(damaged, key)
	}
	return damaged
}

func TestDamagedAndMissingPacksComeBackFromACopy(t *testing.T) {
	s := newSmall(t)
	other := copyOf(t, s.bank)
	damaged := damageAll(t, s.bank)
	d := reopen(t, s.bank)
	found := domain(t, d, options(Full))
	// A copy that is damaged, too, is no help; the next one is.
	worse := copyOf(t, other)
	damageAll(t, worse)
	_, mended, err := Heal(t.Context(), d, project, options(Full), Copy{worse, project}, Copy{other, project})
	if err != nil || len(mended) != len(damaged) {
		t.Fatalf("%d packs are damaged: %+v, %v", len(damaged), mended, err)
	}
	for _, m := range mended {
		if !m.Done || m.Sound || m.Why != "" || !slices.Contains(damaged, m.Key) {
			t.Errorf("%+v", m)
		}
	}
	if r := domain(t, d, options(Full)); !r.Good() {
		t.Errorf("after the repair: %+v", r)
	}
	if marked, err := Marked(t.Context(), s.bank, project); err != nil || len(marked) > 0 {
		t.Errorf("still marked: %v, %v", marked, err)
	}
	// And what is whole is left alone.
	again, err := Repair(t.Context(), s.bank, project, found.Damaged)
	if err != nil || slices.ContainsFunc(again, func(m Mended) bool { return !m.Sound || m.Done }) {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestADamagedPackStaysWhereNoCopyIsBetter(t *testing.T) {
	s := newSmall(t)
	damageAll(t, s.bank)
	found := domain(t, reopen(t, s.bank), options(Full))
	before := copyOf(t, s.bank)
	mended, err := Repair(t.Context(), s.bank, project, found.Damaged, Copy{before, project})
	if err != nil || len(mended) != len(found.Damaged) || len(mended) == 0 {
		t.Fatalf("%+v, %v", mended, err)
	}
	for _, m := range mended {
		if m.Done || m.Why != "no copy has it whole" {
			t.Errorf("%+v", m)
		}
	}
	for _, key := range keys(t, before, "") {
		if got := object(t, s.bank, key); !slices.Equal(got, object(t, before, key)) {
			t.Errorf("%s was changed", key)
		}
	}
}

// Each operation of the bank fails once, with its effect and without it: nothing good is ever
// removed, and the next repair ends the work.
func TestARepairThatIsBrokenOffIsDoneByTheNext(t *testing.T) {
	good := newSmall(t)
	for n := 1; ; n++ {
		met := false
		for _, done := range []bool{false, true} {
			b := copyOf(t, good.bank)
			damageAll(t, b)
			found := domain(t, reopen(t, b), options(Full))
			faulty := banktest.NewFaulty(b)
			faulty.Add(banktest.Fault{Method: banktest.Any, Nth: n, Onward: true, Done: done})
			_, err := Repair(t.Context(), faulty, project, found.Damaged, Copy{good.bank, project})
			met = met || err != nil
			if err != nil && !errors.Is(err, banktest.ErrFault) {
				t.Fatal(err)
			}
			r, _, err := Heal(t.Context(), reopen(t, b), project, options(Full), Copy{good.bank, project})
			if err != nil || !r.Good() {
				t.Fatalf("after a repair that was broken off at call %d: %+v, %v", n, r, err)
			}
		}
		if !met {
			break
		}
	}
}

func TestTheNextProtectMendsWhatIsMarked(t *testing.T) {
	for name, inner := range map[string]dedup.Session{"without a session": nil} {
		b := banktest.NewMemory()
		d := newDomain(t, b)
		data := random(1, 5<<20)
		write(t, d, manifestOf(1, 1), data)
		for _, key := range keys(t, b, dedup.PacksPrefix(project, format.Data)) {
			bad := slices.Clone(object(t, b, key))
			bad[len(bad)/2] ^= 1
			put(t, b, key, bad)
		}
		found := domain(t, d, options(Full))
		if len(found.Hurt) != 1 || readable(t.Context(), d, manifestOf(1, 1), data) {
			t.Fatalf("%s: %+v", name, found)
		}
		// A writer that knows nothing of it trusts what is there.
		write(t, d, manifestOf(2, 1), data)
		if readable(t.Context(), d, manifestOf(2, 1), data) {
			t.Errorf("%s: damage went away by itself", name)
		}
		if err := Mark(t.Context(), b, project, found.Damaged, created); err != nil {
			t.Fatal(err)
		}
		distrust := NewDistrust(inner)
		if err := distrust.Load(t.Context(), b, project); err != nil {
			t.Fatal(err)
		}
		writer, err := reopen(t, b).In(t.Context(), distrust)
		if err != nil {
			t.Fatal(err)
		}
		write(t, writer, manifestOf(3, 1), data)
		for _, d := range []*dedup.Domain{writer, reopen(t, b)} {
			for i := 1; i <= 3; i++ {
				if !readable(t.Context(), d, manifestOf(i, 1), data) {
					t.Errorf("%s: checkpoint %d can't be read after the next protect", name, i)
				}
			}
			if r := domain(t, d, options(Full)); len(r.Hurt) > 0 {
				t.Errorf("%s: %+v", name, r.Hurt)
			}
		}
	}
}

func TestMarksGoWhenTheirPacksAreWholeOrGone(t *testing.T) {
	s := newSmall(t)
	d := reopen(t, s.bank)
	whole, _ := dedup.ParsePackKey(project, format.Data, keys(t, s.bank, dedup.PacksPrefix(project, format.Data))[0])
	gone := format.Name{1}
	mark := func() {
		if err := Mark(t.Context(), s.bank, project, []Damage{{Kind: format.Data, Pack: whole}, {Kind: format.Pages, Pack: gone}}, created); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		depth   Depth
		project string
		stay    []format.Name
	}{
		{Quick, "", []format.Name{whole}},
		{Stored, project, []format.Name{gone}}, // another project's streams may need it
		{Full, "", nil},
	} {
		mark()
		if r, mended, err := Heal(t.Context(), d, test.project, options(test.depth)); err != nil || !r.Good() || len(mended) > 0 {
			t.Fatalf("%+v, %+v, %v", r, mended, err)
		}
		left, err := Marked(t.Context(), s.bank, project)
		if err != nil || len(left) != len(test.stay) || len(test.stay) > 0 && !left[test.stay[0]] {
			t.Errorf("%s: %v are marked, %v", test.depth, left, err)
		}
	}
}

func TestMarksThatCanNotBeListedAreNoneToTrust(t *testing.T) {
	faulty := banktest.NewFaulty(banktest.NewMemory())
	faulty.Add(banktest.Fault{Method: banktest.List})
	if err := NewDistrust(nil).Load(t.Context(), faulty, project); !errors.Is(err, banktest.ErrFault) {
		t.Errorf("it gave %v", err)
	}
}

func TestAFindingSaysWhatHappenedInASentence(t *testing.T) {
	one := format.Name{1}
	for want, h := range map[string]Hurt{
		"its manifest is not there": {Why: "its manifest is not there"},
		"1 pack of the bank that it refers to is damaged; all its bytes can still be read":   {Packs: []format.Name{one}},
		"2 packs of the bank that it refers to are damaged; all its bytes can still be read": {Packs: []format.Name{one, one}},
		"70000 bytes can't be read any more, in 2 pieces: the pack x is not there":           {Bytes: 70000, Chunks: 2, Why: "the pack x is not there", Packs: []format.Name{one}},
	} {
		if got := h.Sentence(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if e := (&Damage{Key: "k", Why: "it is not there"}).Sentence(); !strings.Contains(e, "k: it is not there") {
		t.Error(e)
	}
	if karbor.KindOf(errNoCopy) != karbor.NotFound {
		t.Error(errNoCopy)
	}
}
