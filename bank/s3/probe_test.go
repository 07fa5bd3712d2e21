package s3_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/s3"
)

func TestOnlyWhatWasSeenIsPromised(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(f *fake)
		want    bank.Traits
	}{
		"all":                {func(*fake) {}, bank.Traits{AtomicCreate: true, ConsistentList: true}},
		"ignores conditions": {func(f *fake) { f.ignoresConditions = true }, bank.Traits{ConsistentList: true}},
		"refuses conditions": {func(f *fake) {
			f.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if r.Header.Get("If-None-Match") != "" {
					fail(w, http.StatusNotImplemented, "NotImplemented")
					return true
				}
				return false
			}
		}, bank.Traits{ConsistentList: true}},
		"two winners": {func(f *fake) {
			f.hook = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
				// It knows what is there for long, and lets racers win together.
				return r.Header.Get("If-None-Match") != "" && strings.Contains(r.URL.Path, "race")
			}
		}, bank.Traits{}}, // and nothing of it is listed
		"lists late":        {func(f *fake) { f.lag = 8 }, bank.Traits{AtomicCreate: true}},
		"Swift":             {func(f *fake) { f.header.Set("X-Trans-Id", "tx1") }, bank.Traits{}},
		"object lock":       {func(f *fake) { f.versioned, f.lockRule = true, "on" }, bank.Traits{AtomicCreate: true, ConsistentList: true, ObjectLock: true}},
		"versions, no lock": {func(f *fake) { f.versioned = true }, bank.Traits{AtomicCreate: true, ConsistentList: true}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			test.prepare(f)
			b := openBank(t, f.URL, fakeBucket, nil)
			got := b.Traits()
			got.ClockAhead = 0
			if got != test.want {
				t.Errorf("promises %+v, want %+v", got, test.want)
			}
			if len(f.versions) != 0 {
				t.Errorf("the probe leaves %d objects", len(f.versions))
			}
		})
	}
}

func TestClockOfTheStoreIsCompared(t *testing.T) {
	f := newFake(t)
	f.header.Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
	b := openBank(t, f.URL, fakeBucket, nil)
	if ahead := b.Traits().ClockAhead; ahead > -5*time.Minute || ahead < -5*time.Minute-3*time.Second {
		t.Errorf("the clock is said to be ahead by %v", ahead)
	}
	if now, err := b.Now(t.Context()); err != nil || time.Since(now) < 4*time.Minute {
		t.Errorf("the bank's time is %v, %v", now, err)
	}
}

func TestReadOnlyBankIsOpenedWithoutAWrite(t *testing.T) {
	f := newFake(t)
	f.versioned = true
	banktest.Store(t, openBank(t, f.URL, fakeBucket, nil), "a/b", "text")
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			fail(w, http.StatusForbidden, "AccessDenied")
			return true
		}
		return false
	})
	b := openBank(t, f.URL, fakeBucket, func(o *s3.Options) { o.ReadOnly = true })
	if got := banktest.Load(t, b, "a/b"); got != "text" {
		t.Errorf("holds %q", got)
	}
	if traits := b.Traits(); traits.AtomicCreate || traits.ConsistentList {
		t.Errorf("promises %+v, though nothing was tried", traits)
	}
}

func TestWhatACrashLeftGoesAfterADay(t *testing.T) {
	f := newFake(t)
	f.versions["=probe/x/old!"] = []stored{{at: time.Now().Add(-25 * time.Hour)}}
	f.versions["=probe/x/new!"] = []stored{{at: time.Now()}}
	f.uploads["upload0"] = &parts{name: "a!"} // the fake says it is years old
	b := openBank(t, f.URL, fakeBucket, nil)
	if _, there := f.versions["=probe/x/old!"]; there || len(f.versions) != 1 || len(f.uploads) != 0 {
		t.Errorf("left: %v and %d uploads", f.versions, len(f.uploads))
	}
	if infos, err := b.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
		t.Errorf("lists %v, %v", infos, err)
	}
}

func TestBucketsThatCannotServeAreRefusedWithTheReason(t *testing.T) {
	suspended := func(f *fake) {
		f.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method == http.MethodPut {
				w.Header().Set("X-Amz-Version-Id", "null")
			}
			return false
		}
	}
	for name, test := range map[string]struct {
		prepare func(f *fake)
		options func(o *s3.Options)
		kind    karbor.Kind
		text    string
	}{
		"missing":           {func(*fake) {}, func(o *s3.Options) { o.Bucket = "other" }, karbor.Unavailable, "not there"},
		"suspended":         {suspended, func(*s3.Options) {}, karbor.Invalid, "suspended"},
		"default retention": {func(f *fake) { f.versioned, f.lockRule = true, "default" }, func(*s3.Options) {}, karbor.Invalid, "default retention"},
		"lock wanted": {func(f *fake) { f.versioned = true }, func(o *s3.Options) {
			o.ObjectLock = &s3.ObjectLock{Mode: "governance", Period: time.Hour}
		}, karbor.Invalid, "can't lock"},
	} {
		f := newFake(t)
		test.prepare(f)
		o := options(t, f.URL, fakeBucket)
		test.options(&o)
		if _, err := s3.Open(t.Context(), o, host()); err == nil || karbor.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
