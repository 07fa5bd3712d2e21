// Package banktest has what tests of banks and of their users need: the suite
// that every bank passes, a bank in memory, and one that fails on request.
package banktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Run checks that a bank keeps the contract of bank.Bank. open gives an empty
// bank, which lives as long as its test; it may be called any number of times.
func Run(t *testing.T, open func(t *testing.T) bank.Bank) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, b bank.Bank)
	}{
		{"RefusesBadKeys", refusesBadKeys},
		{"TakesTheLongestKeys", takesTheLongestKeys},
		{"GivesBackWhatWasPut", givesBackWhatWasPut},
		{"PutReplaces", putReplaces},
		{"PutDoesNotReadOn", putTakesAnyReader},
		{"SizeMismatchWritesNothing", sizeMismatchWritesNothing},
		{"FailingBodyWritesNothing", failingBodyWritesNothing},
		{"CreateRefusesAnExistingKey", createRefusesAnExistingKey},
		{"OneOfRacingCreatesWins", oneOfRacingCreatesWins},
		{"MissingObjectIsNotFound", missingObjectIsNotFound},
		{"GetGivesRanges", getGivesRanges},
		{"StatDescribes", statDescribes},
		{"AKeyMayBeginAnother", aKeyMayBeginAnother},
		{"ListGivesEveryObjectOnceInKeyOrder", listGivesEveryObjectOnceInKeyOrder},
		{"ListTakesAnyPrefixAndMarker", listTakesAnyPrefixAndMarker},
		{"ListRefusesBadLimits", listRefusesBadLimits},
		{"ListPagesThroughManyObjects", listPagesThroughManyObjects},
		{"DeleteIsIdempotent", deleteIsIdempotent},
		{"DeletedKeyCanBeUsedAgain", deletedKeyCanBeUsedAgain},
		{"ReadersNeverSeeAPart", readersNeverSeeAPart},
		{"OpenReaderOutlivesReplacement", openReaderSeesOneObject},
		{"WritesAndDeletesOfNeighboursDoNotDisturb", neighboursDoNotDisturb},
		{"EndedContextStopsEveryMethod", endedContextStopsEveryMethod},
		{"ContextEndsAWriteAndARead", contextEndsAWriteAndARead},
		{"StreamsBigObjects", streamsBigObjects},
		{"ClockGoesForward", clockGoesForward},
		{"BehavesAsASortedMap", behavesAsASortedMap},
		{"LocksWhatItIsToldTo", locksWhatItIsToldTo},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
			})
			test.run(t, b)
		})
	}
}

func getRange(t *testing.T, b bank.Bank, key string, offset, length int64) string {
	t.Helper()
	body, err := b.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	text, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	return string(text)
}

// keys lists the keys of a page.
func keys(t *testing.T, b bank.Bank, prefix, marker string, limit int) []string {
	t.Helper()
	infos, err := b.List(t.Context(), prefix, marker, limit)
	if err != nil {
		t.Fatalf("list %q after %q: %v", prefix, marker, err)
	}
	out := []string{}
	for _, i := range infos {
		out = append(out, i.Key)
	}
	return out
}

func wantKind(t *testing.T, err error, kind karbor.Kind, what string) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("%s: error %v of kind %v, want kind %v", what, err, karbor.KindOf(err), kind)
	}
}

func wantMissing(t *testing.T, b bank.Bank, key string) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantKind(t, err, karbor.NotFound, "stat "+key)
	if got := keys(t, b, key, "", 10); len(got) > 0 && got[0] == key {
		t.Errorf("list shows %s", key)
	}
}

func refusesBadKeys(t *testing.T, b bank.Bank) {
	bad := []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/./b", "../a", "a/..", "a b", "a\x00", "ä", "a=", "a\\b", "a:b", "a,b", "a*", "a?",
		strings.Repeat("a", bank.MaxPart+1), strings.Repeat("a/", bank.MaxKey/2) + "a",
	}
	for _, key := range bad {
		ctx := t.Context()
		wantKind(t, b.Put(ctx, key, strings.NewReader("x"), 1), karbor.Invalid, fmt.Sprintf("put %q", key))
		wantKind(t, b.Create(ctx, key, strings.NewReader("x"), 1), karbor.Invalid, fmt.Sprintf("create %q", key))
		_, err := b.Get(ctx, key, 0, -1)
		wantKind(t, err, karbor.Invalid, fmt.Sprintf("get %q", key))
		_, err = b.Stat(ctx, key)
		wantKind(t, err, karbor.Invalid, fmt.Sprintf("stat %q", key))
		wantKind(t, b.Delete(ctx, key), karbor.Invalid, fmt.Sprintf("delete %q", key))
	}
	if got := keys(t, b, "", "", 10); len(got) > 0 {
		t.Errorf("objects %q have been written", got)
	}
}

func takesTheLongestKeys(t *testing.T, b bank.Bank) {
	part := strings.Repeat("x", bank.MaxPart)
	long := strings.Join([]string{part, part, part, part}, "/")[:bank.MaxKey]
	for _, key := range []string{long, part, "A/z_Z.0-9@b/...", ".hidden", "-", "@", "_"} {
		Store(t, b, key, key)
		if got := Load(t, b, key); got != key {
			t.Errorf("%s holds %q", key, got)
		}
	}
	if got := len(keys(t, b, "", "", 100)); got != 7 {
		t.Errorf("%d objects listed, want 7", got)
	}
}

func givesBackWhatWasPut(t *testing.T, b bank.Bank) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for key, text := range map[string]string{"empty": "", "a/one": "1", "all/bytes": string(every), "big": strings.Repeat("0123456789abcdef", 1<<16)} {
		Store(t, b, key, text)
		if got := Load(t, b, key); got != text {
			t.Errorf("%s: %d bytes come back, other than the %d put", key, len(got), len(text))
		}
	}
}

func putReplaces(t *testing.T, b bank.Bank) {
	for _, text := range []string{"a long first text", "short", "", "again"} {
		Store(t, b, "key", text)
		if got := Load(t, b, "key"); got != text {
			t.Errorf("holds %q, want %q", got, text)
		}
	}
	if diff := cmp.Diff([]string{"key"}, keys(t, b, "", "", 10)); diff != "" {
		t.Error(diff)
	}
}

// oneByte reads one byte at a time and ends with the last, not after it.
type oneByte struct{ text string }

func (r *oneByte) Read(p []byte) (int, error) {
	if r.text == "" || len(p) == 0 {
		return 0, io.EOF
	}
	p[0], r.text = r.text[0], r.text[1:]
	if r.text == "" {
		return 1, io.EOF
	}
	return 1, nil
}

func putTakesAnyReader(t *testing.T, b bank.Bank) {
	for name, body := range map[string]io.Reader{
		"onebyte": &oneByte{"hello"}, "buffer": bytes.NewBufferString("hello"), "bytes": bytes.NewReader([]byte("hello")),
		"limited": io.LimitReader(strings.NewReader("hello world"), 5),
	} {
		if err := b.Put(t.Context(), name, body, 5); err != nil {
			t.Fatalf("put from %s: %v", name, err)
		}
		if got := Load(t, b, name); got != "hello" {
			t.Errorf("from %s: %q", name, got)
		}
	}
}

func sizeMismatchWritesNothing(t *testing.T, b bank.Bank) {
	Store(t, b, "old", "old")
	for _, body := range []string{"", "x", "12345", "1234567", strings.Repeat("x", 1<<20)} {
		for _, wrap := range []func(string) io.Reader{
			func(s string) io.Reader { return strings.NewReader(s) },
			func(s string) io.Reader { return bytes.NewReader([]byte(s)) },
			func(s string) io.Reader { return &oneByte{s} },
		} {
			ctx := t.Context()
			what := fmt.Sprintf("%d bytes announced as 6", len(body))
			wantKind(t, b.Put(ctx, "old", wrap(body), 6), karbor.Invalid, "put "+what)
			wantKind(t, b.Put(ctx, "new", wrap(body), 6), karbor.Invalid, "put "+what)
			wantKind(t, b.Create(ctx, "new", wrap(body), 6), karbor.Invalid, "create "+what)
		}
	}
	wantKind(t, b.Put(t.Context(), "new", strings.NewReader("x"), 0), karbor.Invalid, "a byte announced as none")
	wantKind(t, b.Put(t.Context(), "new", strings.NewReader("x"), -1), karbor.Invalid, "a negative size")
	if got := Load(t, b, "old"); got != "old" {
		t.Errorf("the old object holds %q", got)
	}
	wantMissing(t, b, "new")
}

func failingBodyWritesNothing(t *testing.T, b bank.Bank) {
	Store(t, b, "old", "old")
	broken := errors.New("the source broke")
	for _, after := range []int64{0, 1, 5, 100_000} {
		body := func() io.Reader {
			return &failingReader{r: strings.NewReader(strings.Repeat("x", 200_000)), left: after, err: broken}
		}
		for what, err := range map[string]error{
			"put over": b.Put(t.Context(), "old", body(), 200_000),
			"put":      b.Put(t.Context(), "new", body(), 200_000),
			"create":   b.Create(t.Context(), "new", body(), 200_000),
		} {
			if !errors.Is(err, broken) {
				t.Errorf("%s: error %v, want that of the body", what, err)
			}
		}
	}
	if got := Load(t, b, "old"); got != "old" {
		t.Errorf("the old object holds %q", got)
	}
	wantMissing(t, b, "new")
}

func createRefusesAnExistingKey(t *testing.T, b bank.Bank) {
	if err := b.Create(t.Context(), "a/key", strings.NewReader("first"), 5); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Create(t.Context(), "a/key", strings.NewReader("later"), 5), karbor.Conflict, "second create")
	Store(t, b, "put", "first")
	wantKind(t, b.Create(t.Context(), "put", strings.NewReader(""), 0), karbor.Conflict, "create after put")
	for _, key := range []string{"a/key", "put"} {
		if got := Load(t, b, key); got != "first" {
			t.Errorf("%s holds %q", key, got)
		}
	}
}

func clockGoesForward(t *testing.T, b bank.Bank) {
	var last time.Time
	for i := range 20 {
		now, err := b.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if now.Before(last) {
			t.Errorf("after %v comes %v", last, now)
		}
		last = now
		Store(t, b, "clock", strconv.Itoa(i))
		info, err := b.Stat(t.Context(), "clock")
		if err != nil {
			t.Fatal(err)
		}
		// S3 and HTTP headers have whole seconds.
		if d := info.ModTime.Sub(now); d < -2*time.Second || d > time.Minute {
			t.Errorf("an object written at %v is of %v", now, info.ModTime)
		}
	}
	if got := keys(t, b, "", "", 10); len(got) != 1 {
		t.Errorf("asking for the time leaves objects: %q", got)
	}
}

// ended is a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
