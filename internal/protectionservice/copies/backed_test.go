package copies

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/protection"
)

// cutReader gives a text, and then an error.
type cutReader struct {
	io.Reader
	err    error
	closed bool
}

func (c *cutReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF && c.err != nil {
		err = c.err
	}
	return n, err
}

func (c *cutReader) Close() error { c.closed = true; return nil }

func (*cutReader) Summary() protection.Summary { return protection.Summary{} }

func TestDamageBesideABrokenConnectionIsReadFromACopy(t *testing.T) {
	damage := errors.Join(&format.DamageError{What: "pack", Why: "it is torn"}, io.EOF)
	first := &cutReader{Reader: strings.NewReader("abc"), err: damage}
	asked := 0
	r := &backedReader{Reader: first, other: func(offset int64, trouble error) protection.Reader {
		if asked++; offset != 3 || !errors.Is(trouble, damage) {
			t.Errorf("the copy is asked from %d on, because of %v", offset, trouble)
		}
		return &cutReader{Reader: strings.NewReader("def")}
	}}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "abcdef" || asked != 1 || !first.closed {
		t.Errorf("it gives %q, %v; the copy was asked for %d times, the first reader closed: %t", got, err, asked, first.closed)
	}
}

func TestAWholeStreamAsksForNoCopy(t *testing.T) {
	r := &backedReader{Reader: &cutReader{Reader: strings.NewReader("abc")}, other: func(int64, error) protection.Reader {
		t.Error("a copy is asked for")
		return nil
	}}
	if got, err := io.ReadAll(r); err != nil || string(got) != "abc" {
		t.Errorf("it gives %q, %v", got, err)
	}
}
