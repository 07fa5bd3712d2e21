package s3_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/s3"
)

func lockedBank(t *testing.T, f *fake) *s3.Bank {
	t.Helper()
	f.versioned, f.lockRule = true, "on"
	return openBank(t, f.URL, fakeBucket, func(o *s3.Options) {
		o.ObjectLock = &s3.ObjectLock{Mode: "governance", Period: 48 * time.Hour}
	})
}

// steal does what a thief with the writer's credentials can.
func steal(f *fake, name, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.versions[name] = append(f.versions[name], stored{id: "thief1", data: []byte(text), at: time.Now()}, stored{id: "thief2", marker: true, at: time.Now()})
}

func TestFirstVersionCountsAndDeleteMarkersDoNot(t *testing.T) {
	for _, byFolder := range []bool{false, true} {
		f := newFake(t)
		f.versioned, f.ordersByFolder = true, byFolder
		b := openBank(t, f.URL, fakeBucket, nil)
		for _, key := range []string{"a", "a/b", "c"} {
			banktest.Store(t, b, key, "good "+key)
		}
		// Another process knows nothing of it.
		fresh := openBank(t, f.URL, fakeBucket, nil)
		steal(f, "a!", "bad")
		steal(f, "a/b!", "much worse")
		steal(f, "d!", "") // a later version of nothing is a first one, and its marker does not count
		for _, b := range []bank.Bank{b, fresh} {
			if got := banktest.Load(t, b, "a/b"); got != "good a/b" {
				t.Errorf("a/b holds %q", got)
			}
			if info, err := b.Stat(t.Context(), "a"); err != nil || info.Size != 6 {
				t.Errorf("a is %+v, %v", info, err)
			}
			infos, err := b.List(t.Context(), "", "", 10)
			got := map[string]int64{}
			for _, i := range infos {
				got[i.Key] = i.Size
			}
			if diff := cmp.Diff(map[string]int64{"a": 6, "a/b": 8, "c": 6, "d": 0}, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
			if err := b.Create(t.Context(), "a", strings.NewReader("x"), 1); karbor.KindOf(err) != karbor.Conflict {
				t.Errorf("create over a delete marker: %v", err)
			}
		}
		if got := banktest.Load(t, b, "a"); got != "good a" {
			t.Errorf("a holds %q", got)
		}
		if err := b.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, there := f.versions["a!"]; there {
			t.Error("versions of a are left")
		}
		banktest.Store(t, b, "a", "new")
		banktest.Store(t, b, "c", "again")
		if n := len(f.versions["c!"]); n != 1 || banktest.Load(t, b, "c") != "again" {
			t.Errorf("c has %d versions", n)
		}
	}
}

func TestWhatLastsIsLockedAndWhatPassesIsNot(t *testing.T) {
	f := newFake(t)
	b := lockedBank(t, f)
	for key, locked := range map[string]bool{
		"v1/states/p/c/00000001": true, "v1/repositories/d/packs/ab/abcd": true, "v1/repositories/d/index/x": false,
		"v1/repositories/d/format": true, "v1/checkpoints/p/c/nodes/volume/v/documents/x": true, "v1/leasesx/a": true,
		"v1/leases/owner/00000001": false, "v1/repositories/d/slots/s": false, "v1/repositories/d/sessions/s/00000001": false,
		"v1/repositories/d/epochs/00000001": false, "v1/repositories/d/collectors/00000001": false, "v1/repositories/d/damaged/x": false, "v1/checkpoints/p/c/purging": false,
	} {
		if err := b.Create(t.Context(), key, strings.NewReader("text"), 4); err != nil {
			t.Fatal(err)
		}
		v := f.versions[key+"!"][0]
		if got := !v.until.IsZero(); got != locked {
			t.Errorf("%s is locked: %v, want %v", key, got, locked)
		}
		if locked && (time.Until(v.until) < 47*time.Hour || time.Until(v.until) > 49*time.Hour) {
			t.Errorf("%s is locked until %v", key, v.until)
		}
		info, err := b.Stat(t.Context(), key)
		listed, listErr := b.List(t.Context(), key, "", 1)
		if err != nil || listErr != nil || len(listed) != 1 || info.LockedUntil.IsZero() == locked || !listed[0].LockedUntil.Equal(info.LockedUntil) ||
			info.LockedUntil.After(v.until.Add(time.Minute)) {
			t.Errorf("%s tells that it is locked until %v, listed %+v: %v, %v", key, info.LockedUntil, listed, err, listErr)
		}
		err = b.Delete(t.Context(), key)
		if locked && (karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "locked until")) || !locked && err != nil {
			t.Errorf("removing %s: %v", key, err)
		}
	}
	const key = "v1/states/p/c/00000001"
	if err := b.Put(t.Context(), key, strings.NewReader("other"), 5); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("replacing what is locked: %v", err)
	}
	if got := banktest.Load(t, b, key); got != "text" {
		t.Errorf("holds %q", got)
	}
	big := strings.Repeat("x", 17<<20)
	if err := b.Create(t.Context(), "v1/big", &onlyReader{strings.NewReader(big)}, int64(len(big))); err != nil {
		t.Fatal(err)
	}
	if f.versions["v1/big!"][0].until.IsZero() {
		t.Error("what was sent in parts is not locked")
	}
}

func TestPutOverWhatAnotherHasLockedLeavesIt(t *testing.T) {
	f := newFake(t)
	locked := lockedBank(t, f)
	banktest.Store(t, locked, "v1/x", "locked")
	b := openBank(t, f.URL, fakeBucket, nil) // one that locks nothing itself
	if err := b.Put(t.Context(), "v1/x", strings.NewReader("other"), 5); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("got %v", err)
	}
	if n := len(f.versions["v1/x!"]); n != 1 || banktest.Load(t, b, "v1/x") != "locked" {
		t.Errorf("%d versions", n)
	}
}

// onlyReader hides what a reader is.
type onlyReader struct{ *strings.Reader }

func (r *onlyReader) Read(p []byte) (int, error) { return r.Reader.Read(p) }

// holdingBank locks what it is told to, and nothing else.
func holdingBank(t *testing.T, f *fake) *s3.Bank {
	t.Helper()
	f.versioned, f.lockRule = true, "on"
	return openBank(t, f.URL, fakeBucket, func(o *s3.Options) {
		o.ObjectLock = &s3.ObjectLock{Mode: "governance", Held: 720 * time.Hour}
	})
}

func TestABankThatLocksWhatIsHeldIsABank(t *testing.T) {
	banktest.Run(t, func(t *testing.T) bank.Bank {
		b := holdingBank(t, newFake(t))
		if traits := b.Traits(); traits.LockAhead != 720*time.Hour || !traits.ObjectLock {
			t.Fatalf("traits are %+v", traits)
		}
		return b
	})
}

func TestTheFirstVersionIsTheOneThatIsLocked(t *testing.T) {
	f := newFake(t)
	b := holdingBank(t, f)
	banktest.Store(t, b, "v1/x", "good")
	if !f.versions["v1/x!"][0].until.IsZero() {
		t.Error("a new object is locked")
	}
	steal(f, "v1/x!", "bad")
	until := time.Now().Add(time.Hour)
	locked, err := b.Lock(t.Context(), "v1/x", until)
	if err != nil || locked.Before(until) || locked.Sub(until) > time.Second || !f.versions["v1/x!"][0].until.Equal(locked) {
		t.Errorf("locked until %v, %v", locked, err)
	}
	if err := b.Delete(t.Context(), "v1/x"); karbor.KindOf(err) != karbor.Conflict || banktest.Load(t, b, "v1/x") != "good" {
		t.Errorf("removing it: %v", err)
	}
}

func TestAStoreThatDoesNotKeepLocksIsFoundOut(t *testing.T) {
	for want, change := range map[string]func(*fake){
		"does not keep locks": func(f *fake) { f.forgetsLocks = true },
		"right to put":        func(f *fake) { f.noRetention = true },
		"can't lock objects":  func(f *fake) { f.lockRule = "" },
	} {
		f := newFake(t)
		f.versioned, f.lockRule = true, "on"
		change(f)
		o := options(t, f.URL, fakeBucket)
		o.ObjectLock = &s3.ObjectLock{Mode: "compliance", Held: time.Hour}
		b, err := s3.Open(t.Context(), o, host())
		if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, b, err)
		}
	}
}

func TestALockThatAnotherHasLengthenedMeanwhileStays(t *testing.T) {
	f := newFake(t)
	b := holdingBank(t, f)
	banktest.Store(t, b, "v1/x", "good")
	longer := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	f.setHook(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodPut && r.URL.Query().Has("retention") {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.versions["v1/x!"][0].until = longer
		}
		return false
	})
	if locked, err := b.Lock(t.Context(), "v1/x", time.Now().Add(time.Hour)); err != nil || !locked.Equal(longer) {
		t.Errorf("locked until %v, %v", locked, err)
	}
}
