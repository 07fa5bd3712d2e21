package remote_test

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/remote"
)

func TestHeaderOfAPart(t *testing.T) {
	for _, test := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, ""}, {0, 5, "bytes=0-4"}, {3, -1, "bytes=3-"}, {3, 5, "bytes=3-7"},
		{3, math.MaxInt64, "bytes=3-"}, {0, math.MaxInt64, "bytes=0-9223372036854775806"},
	} {
		if got := remote.NewPart(test.offset, test.length).Header(); got != test.want {
			t.Errorf("%d bytes from %d on: %q, want %q", test.length, test.offset, got, test.want)
		}
	}
}

// explain makes every error transient.
func explain(_ context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	return karbor.Transientf("%s: %v", doing, err)
}

// closing notes whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

const whole = "0123456789"

func answer(text string, size int64, p remote.Part, wholly bool) (remote.Answer, *closing) {
	body := &closing{Reader: strings.NewReader(text)}
	return remote.Answer{Key: "a", Body: body, Size: size, Part: p, Whole: wholly, Explain: explain}, body
}

func TestPartIsTheSameWhateverTheStoreGives(t *testing.T) {
	for offset := range int64(12) {
		for length := int64(-1); length < 12; length++ {
			want := whole[min(offset, 10):]
			if length >= 0 {
				want = want[:min(length, int64(len(want)))]
			}
			if length == 0 || offset >= 10 {
				continue // such a part is not asked for, or refused by the store
			}
			p := remote.NewPart(offset, length)
			for _, wholly := range []bool{false, true} {
				text := want
				if wholly {
					text = whole
				}
				a, body := answer(text, int64(len(text)), p, wholly)
				r, err := remote.NewReader(t.Context(), a)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil || string(got) != want || r.Close() != nil || !body.closed {
					t.Errorf("%d from %d on (whole %v): %q, %v, want %q", length, offset, wholly, got, err, want)
				}
			}
		}
	}
}

func TestObjectThatEndsEarlyIsNoEnd(t *testing.T) {
	a, _ := answer("0123", 10, remote.NewPart(0, -1), false)
	r, err := remote.NewReader(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); !karbor.IsTransient(err) || string(got) != "0123" {
		t.Errorf("%q, %v", got, err)
	}
	a, body := answer("", -1, remote.NewPart(0, -1), false)
	if _, err := remote.NewReader(t.Context(), a); karbor.KindOf(err) != karbor.Unavailable || !body.closed {
		t.Errorf("of unknown size: %v", err)
	}
	a, body = answer("01", 10, remote.NewPart(5, 2), true)
	if _, err := remote.NewReader(t.Context(), a); err == nil || !body.closed {
		t.Errorf("that ends before the part begins: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a, _ = answer(whole, 10, remote.NewPart(0, -1), false)
	if r, err = remote.NewReader(ctx, a); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

func TestResumedReaderAsksForTheRest(t *testing.T) {
	var asked remote.Part
	a, _ := answer(whole[2:8], 6, remote.NewPart(2, 6), false)
	r, err := remote.NewReader(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resume(t.Context(), 1); karbor.KindOf(err) != karbor.Unavailable {
		t.Errorf("without knowing the object again: %v", err)
	}
	a.Again = func(_ context.Context, p remote.Part) (io.ReadCloser, error) {
		asked = p
		return io.NopCloser(strings.NewReader("")), nil
	}
	if r, err = remote.NewReader(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resume(t.Context(), 4); err != nil || asked != (remote.Part{Offset: 6, Length: 2}) {
		t.Errorf("asked for %+v, %v", asked, err)
	}
	asked = remote.Part{}
	rest, err := r.Resume(t.Context(), 6)
	if err != nil || asked != (remote.Part{}) {
		t.Fatalf("asked for %+v, %v", asked, err)
	}
	if got, err := io.ReadAll(rest); err != nil || len(got) > 0 {
		t.Errorf("behind the end: %q, %v", got, err)
	}
}

func TestFillReadsExactlyABlock(t *testing.T) {
	block := make([]byte, 4)
	if err := remote.Fill(strings.NewReader(whole), block); err != nil || string(block) != "0123" {
		t.Errorf("%q, %v", block, err)
	}
	if err := remote.Fill(strings.NewReader("01"), block); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of too little: %v", err)
	}
	if err := remote.Fill(bank.Exactly(t.Context(), strings.NewReader(""), 0), nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	if err := remote.Ready(t.Context(), "a//b"); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("a bad key: %v", err)
	}
}
