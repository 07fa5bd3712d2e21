package protectables

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/karbor/karbor"
)

// Bounds of a parameters text.
const (
	maxLiteral = 16 << 10
	maxDepth   = 16
)

// ParseParameters reads the parameters of a query: a dictionary written as JSON,
// or as Python writes its own (the client sends str() of one): None, True, False,
// numbers, texts in single or double quotes with an optional u before them, lists,
// tuples, dictionaries. Nothing in it is ever run. Empty is no parameters. The
// error is karbor.Invalid.
func ParseParameters(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	bad := func(at int, why string) error {
		return karbor.Errorf(karbor.Invalid, "Invalid parameters: at character %d of %.80q: %s. Send a dictionary as JSON.", at, text, why)
	}
	if len(text) > maxLiteral {
		return nil, bad(0, "the text is too long")
	}
	p := &literal{text: text}
	v, ok := p.value(0)
	p.space()
	if ok && p.at != len(text) {
		ok = p.fail("something follows the dictionary")
	}
	if !ok {
		return nil, bad(p.at, p.why)
	}
	out, isDict := v.(map[string]any)
	if !isDict {
		return nil, bad(0, "it is not a dictionary")
	}
	return out, nil
}

// literal is a text that is being read. Once a method has returned false, why says
// what is wrong at at.
type literal struct {
	text string
	at   int
	why  string
}

func (p *literal) fail(why string) bool {
	p.why = why
	return false
}

func (p *literal) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek gives the next byte that is no space, or 0 at the end.
func (p *literal) peek() byte {
	p.space()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *literal) value(depth int) (any, bool) {
	if depth > maxDepth {
		return nil, p.fail("it is nested too deep")
	}
	switch c := p.peek(); {
	case c == 0:
		return nil, p.fail("it ends early")
	case c == '{':
		return p.dict(depth + 1)
	case c == '[':
		return p.list(']', depth+1)
	case c == '(':
		return p.list(')', depth+1)
	case c == '\'' || c == '"':
		return p.quoted()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	default:
		return p.word()
	}
}

func (p *literal) dict(depth int) (any, bool) {
	out := map[string]any{}
	p.at++
	for p.peek() != '}' {
		key, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		name, isText := key.(string)
		if !isText {
			return nil, p.fail("a key is not a text")
		}
		if p.peek() != ':' {
			return nil, p.fail("a : is missing")
		}
		p.at++
		if out[name], ok = p.value(depth); !ok {
			return nil, false
		}
		if !p.comma('}') {
			return nil, false
		}
	}
	p.at++
	return out, true
}

func (p *literal) list(end byte, depth int) (any, bool) {
	out := []any{}
	p.at++
	for p.peek() != end {
		v, ok := p.value(depth)
		if !ok || !p.comma(end) {
			return nil, false
		}
		out = append(out, v)
	}
	p.at++
	return out, true
}

// comma takes a comma, or sees the end.
func (p *literal) comma(end byte) bool {
	switch p.peek() {
	case ',':
		p.at++
		return true
	case end:
		return true
	default:
		return p.fail("a , or the end is missing")
	}
}

func (p *literal) number() (any, bool) {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("+-.eE0123456789", p.text[p.at]) >= 0 {
		p.at++
	}
	text := p.text[start:p.at]
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789-") == "" {
		p.at = start
		return nil, p.fail("this is not a number, or too large a one")
	}
	return f, true
}

func (p *literal) word() (any, bool) {
	start := p.at
	for p.at < len(p.text) && (p.text[p.at]|0x20 >= 'a' && p.text[p.at]|0x20 <= 'z') {
		p.at++
	}
	switch p.text[start:p.at] {
	case "None", "null":
		return nil, true
	case "True", "true":
		return true, true
	case "False", "false":
		return false, true
	case "u":
		if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
			return p.quoted()
		}
	}
	p.at = start
	return nil, p.fail("this is no value")
}

func (p *literal) quoted() (any, bool) {
	end := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case end:
			p.at++
			return b.String(), true
		case '\\':
			r, ok := p.escape()
			if !ok {
				return nil, false
			}
			b.WriteRune(r)
		case '\n', '\r', 0:
			return nil, p.fail("a text goes on over its line")
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return nil, p.fail("a text has no end")
}

// escapes are those of one letter that JSON and Python share.
var escapes = map[byte]rune{
	'\\': '\\', '\'': '\'', '"': '"', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (p *literal) escape() (rune, bool) {
	rest := p.text[p.at+1:]
	if rest == "" {
		return 0, p.fail("a text has no end")
	}
	if r, ok := escapes[rest[0]]; ok {
		p.at += 2
		return r, true
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[0]]
	r, ok := hexRune(rest[1:], digits)
	if digits == 0 || !ok || r == 0 {
		return 0, p.fail("this escape is not known")
	}
	p.at += 2 + digits
	if utf16.IsSurrogate(r) {
		low, ok := hexRune(strings.TrimPrefix(p.text[p.at:], `\u`), 4)
		if pair := utf16.DecodeRune(r, low); ok && strings.HasPrefix(p.text[p.at:], `\u`) && pair != utf8.RuneError {
			p.at += 6
			return pair, true
		}
		return 0, p.fail("half a character is missing")
	}
	return r, true
}

// hexRune reads a rune of that many hexadecimal digits.
func hexRune(s string, digits int) (rune, bool) {
	if digits == 0 || len(s) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:digits], 16, 32)
	r := rune(n)
	return r, err == nil && n <= utf8.MaxRune
}
