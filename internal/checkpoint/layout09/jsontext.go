package layout09

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonText gives the bytes of a text that is kept as JSON, in UTF-8. Python 3 kept bulk
// data so, as far as it could, with all but ASCII escaped; anything else is none. It is
// for one goroutine, and takes little memory, however long the text is.
type jsonText struct {
	in        *bufio.Reader
	begun     bool
	character [utf8.UTFMax]byte
	pending   []byte // of the character
	err       error
}

func newJSONText(r io.Reader) *jsonText { return &jsonText{in: bufio.NewReaderSize(r, 64<<10)} }

// errNoText says that something is no text in JSON.
var errNoText = errors.New("it is no text in JSON")

// Read implements io.Reader. It ends with io.EOF only after the closing quote, with
// nothing but white space behind.
func (t *jsonText) Read(p []byte) (int, error) {
	if t.err == nil && !t.begun {
		t.begin()
	}
	n := 0
	for n < len(p) {
		if len(t.pending) > 0 {
			taken := copy(p[n:], t.pending)
			t.pending, n = t.pending[taken:], n+taken
			continue
		}
		if t.err != nil {
			break
		}
		b, err := t.in.ReadByte()
		switch {
		case err != nil:
			t.fail(err)
		case b == '"':
			t.end()
		case b == '\\':
			t.escape()
		case b < ' ' || b >= utf8.RuneSelf:
			t.fail(errNoText)
		default:
			p[n] = b
			n++
		}
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, t.err
}

func (t *jsonText) fail(err error) {
	if err == io.EOF { //nolint:errorlint // a connection that breaks may have it as its cause
		err = fmt.Errorf("%w: it is cut off", errNoText)
	}
	t.err = err
}

func (t *jsonText) begin() {
	t.begun = true
	if b, err := t.in.ReadByte(); err != nil {
		t.fail(err)
	} else if b != '"' {
		t.fail(errNoText)
	}
}

// end looks that nothing is behind the closing quote.
func (t *jsonText) end() {
	for {
		b, err := t.in.ReadByte()
		if err != nil {
			t.err = err // io.EOF is the end
			return
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			t.fail(errNoText)
			return
		}
	}
}

// escape reads what follows a backslash.
func (t *jsonText) escape() {
	b, err := t.in.ReadByte()
	if err != nil {
		t.fail(err)
		return
	}
	switch b {
	case '"', '\\', '/':
	case 'b':
		b = '\b'
	case 'f':
		b = '\f'
	case 'n':
		b = '\n'
	case 'r':
		b = '\r'
	case 't':
		b = '\t'
	case 'u':
		t.unicode()
		return
	default:
		t.fail(errNoText)
		return
	}
	t.pending = append(t.character[:0], b)
}

// unicode reads the four digits of a character, and those of its second half.
func (t *jsonText) unicode() {
	r, err := t.hex()
	if err == nil && utf16.IsSurrogate(r) {
		var two []byte
		if two, err = t.take(2); err == nil && string(two) != `\u` {
			err = errNoText
		}
		var second rune
		if err == nil {
			second, err = t.hex()
		}
		if r = utf16.DecodeRune(r, second); err == nil && r == utf8.RuneError {
			err = errNoText // UTF-8 has no half characters
		}
	}
	if err != nil {
		t.fail(err)
		return
	}
	t.pending = utf8.AppendRune(t.character[:0], r)
}

// take gives the next bytes, until something else is read.
func (t *jsonText) take(n int) ([]byte, error) {
	b, err := t.in.Peek(n)
	if err == nil {
		_, err = t.in.Discard(n)
	}
	return b, err
}

func (t *jsonText) hex() (rune, error) {
	digits, err := t.take(4)
	if err != nil {
		return 0, err
	}
	var r rune
	for _, d := range digits {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case 'a' <= d && d <= 'f':
			d -= 'a' - 10
		case 'A' <= d && d <= 'F':
			d -= 'A' - 10
		default:
			return 0, errNoText
		}
		r = r<<4 | rune(d)
	}
	return r, nil
}
