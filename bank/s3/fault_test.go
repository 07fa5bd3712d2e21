package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/s3"
	"github.com/karbor/karbor/bank/wrap"
)

func TestAnswersOfTheStoreHaveTheirKindsAndTellNoSecret(t *testing.T) {
	for _, test := range []struct {
		status    int
		code      string
		kind      karbor.Kind
		transient bool
		text      string
	}{
		{500, "InternalError", karbor.Unavailable, true, "does not answer now"},
		{503, "SlowDown", karbor.Unavailable, true, "does not answer now"},
		{429, "TooManyRequests", karbor.Unavailable, true, "does not answer now"},
		{403, "AccessDenied", karbor.Unavailable, false, "refuses access"},
		{403, "SignatureDoesNotMatch", karbor.Unavailable, false, "refuses access"},
		{403, "RequestTimeTooSkewed", karbor.Unavailable, false, "clock"},
		{507, "Whatever", karbor.OverLimit, false, "full"},
		{403, "QuotaExceeded", karbor.OverLimit, false, "full"},
		{404, "NoSuchBucket", karbor.Unavailable, false, "bucket is not there"},
		{501, "NotImplemented", karbor.NotImplemented, false, "can't do that"},
		{400, "karbortest-secret\nis the key", karbor.Unavailable, false, "refuses the request"},
	} {
		f := newFake(t)
		b := openBank(t, f.URL, fakeBucket, nil)
		f.setHook(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			fail(w, test.status, test.code)
			return true
		})
		for what, err := range banktest.Calls(t.Context(), b) {
			if err == nil {
				t.Errorf("%s after %d %s succeeds", what, test.status, test.code)
				continue
			}
			// An answer to HEAD has no code.
			byStatus := what == "now" || what == "stat"
			if !byStatus && (karbor.KindOf(err) != test.kind || karbor.IsTransient(err) != test.transient || !strings.Contains(err.Error(), test.text)) {
				t.Errorf("%s after %d %s: %v of kind %v", what, test.status, test.code, err, karbor.KindOf(err))
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "karbortest-secret") || strings.Contains(karbor.Sentence(err), fakeBucket) {
				t.Errorf("%s tells a secret: %v", what, err)
			}
		}
	}
}

func TestOneFailureIsSeenByNobodyWhoRetries(t *testing.T) {
	f := newFake(t)
	retry := wrap.Options{Retry: wrap.RetryOptions{Attempts: 3, FirstPause: time.Millisecond, LongestPause: time.Millisecond}}
	b := retry.Around(openBank(t, f.URL, fakeBucket, nil))
	banktest.Store(t, b, "a", "x")
	var n atomic.Int64
	f.setHook(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if n.Add(1)%2 == 1 {
			fail(w, 500, "InternalError")
			return true
		}
		return false
	})
	for what, err := range banktest.Calls(t.Context(), b) {
		if err != nil && (what != "create" || karbor.KindOf(err) != karbor.Conflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAnswerThatIsLostMakesNoLoserOfACreate(t *testing.T) {
	f := newFake(t)
	retry := wrap.Options{Retry: wrap.RetryOptions{Attempts: 3, FirstPause: time.Millisecond, LongestPause: time.Millisecond}}
	b := retry.Around(openBank(t, f.URL, fakeBucket, nil))
	var lost atomic.Bool
	f.setHook(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method != http.MethodPut || lost.Swap(true) {
			return false
		}
		f.mu.Lock()
		f.versions["a!"] = []stored{{data: body, at: time.Now()}}
		f.mu.Unlock()
		hang(w)
		return true
	})
	if err := b.Create(t.Context(), "a", strings.NewReader("mine"), 4); err != nil {
		t.Error(err)
	}
	if got := banktest.Load(t, b, "a"); got != "mine" {
		t.Errorf("holds %q", got)
	}
}

// hang cuts the connection.
func hang(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestCutBodyIsNoEnd(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.URL, fakeBucket, nil)
	content := strings.Repeat("0123456789", 50_000)
	banktest.Store(t, b, "a", content)
	var cuts atomic.Int64
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != http.MethodGet || cuts.Add(1) > 3 {
			return false
		}
		var from int
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-from))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", etag([]byte(content)))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = io.WriteString(w, content[from:from+100_000])
		return true
	})
	body, err := b.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if len(got) >= len(content) || !karbor.IsTransient(err) || !strings.HasPrefix(content, string(got)) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	_ = body.Close()
	cuts.Store(0)
	retry := wrap.Options{Retry: wrap.RetryOptions{Attempts: 3, FirstPause: time.Millisecond, LongestPause: time.Millisecond}}
	if got := banktest.Load(t, retry.Around(b), "a"); got != content {
		t.Errorf("with retries %d bytes come", len(got))
	}
}

func TestReaderDoesNotGoOnInAnotherObject(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.URL, fakeBucket, nil)
	banktest.Store(t, b, "a", "the old one")
	body, err := b.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	banktest.Store(t, b, "a", "the new one")
	resumer, ok := body.(wrap.Resumer)
	if !ok {
		t.Fatal("the body can't be resumed")
	}
	if _, err := resumer.Resume(t.Context(), 4); err == nil || karbor.IsTransient(err) {
		t.Errorf("resuming a replaced object gives %v", err)
	}
}

func TestCallWithoutProgressEnds(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.URL, fakeBucket, func(o *s3.Options) { o.IdleTimeout = time.Second })
	banktest.Store(t, b, "a", "x")
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "a!") { // it begins, and stops
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
		}
		<-release
		return true
	})
	for what, call := range map[string]func() error{
		"put":  func() error { return b.Put(t.Context(), "b", strings.NewReader("x"), 1) },
		"list": func() error { _, err := b.List(t.Context(), "", "", 1); return err },
		"get": func() error {
			body, err := b.Get(t.Context(), "a", 0, -1)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }()
			_, err = io.ReadAll(body)
			return err
		},
	} {
		if err := call(); !karbor.IsTransient(err) || !strings.Contains(err.Error(), "in time") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestDamageOnTheWayIsRefusedByTheStore(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.URL, fakeBucket, nil)
	damage := true
	f.setHook(func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method == http.MethodPut && damage {
			body[0] ^= 1
		}
		return false
	})
	if err := b.Put(t.Context(), "a", strings.NewReader("text"), 4); !karbor.IsTransient(err) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged write gives %v", err)
	}
	big := strings.Repeat("x", 20<<20)
	if err := b.Put(t.Context(), "a", io.MultiReader(strings.NewReader(big)), int64(len(big))); !karbor.IsTransient(err) {
		t.Errorf("a damaged write in parts gives %v", err)
	}
	if _, err := b.Stat(t.Context(), "a"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("it is there: %v", err)
	}
	if n := len(f.uploads); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

func TestStoreThatDoesNotAnswerIsTransient(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.URL, fakeBucket, nil)
	f.Close()
	for what, err := range banktest.Calls(t.Context(), b) {
		if !karbor.IsTransient(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := s3.Open(t.Context(), options(t, f.URL, fakeBucket), host())
	if !karbor.IsTransient(err) {
		t.Errorf("opening: %v", err)
	}
}

func TestListThatIsNotInOrderIsAnError(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.URL, fakeBucket, nil)
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		_, _ = io.WriteString(w, `<ListBucketResult><Contents><Key>b!</Key><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>`+
			`<Contents><Key>a!</Key><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>`)
		return r.Method == http.MethodGet
	})
	if infos, err := b.List(t.Context(), "", "", 10); err == nil || !strings.Contains(err.Error(), "not in order") {
		t.Errorf("got %v, %v", infos, err)
	}
}

func TestCancelledOpenSaysSo(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s3.Open(ctx, options(t, f.URL, fakeBucket), host()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
