package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/karbor/karbor"
)

// maxDepth bounds how deep a document may be nested.
const maxDepth = 32

// Canonical gives the canonical form of a JSON document (RFC 8785) whose numbers are integers
// within 2^53: the same for whatever order and spaces it came in. A document that has no such
// form is karbor.Invalid: other numbers, text that is not UTF-8, a name twice in an object.
func Canonical(document []byte) ([]byte, error) {
	if !utf8.Valid(document) {
		return nil, karbor.Errorf(karbor.Invalid, "it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var out bytes.Buffer
	if err := canonical(&out, d, 0); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, karbor.Errorf(karbor.Invalid, "something follows the document")
	}
	return out.Bytes(), nil
}

func canonical(out *bytes.Buffer, d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return karbor.Errorf(karbor.Invalid, "it is not JSON")
	}
	if depth > maxDepth {
		return karbor.Errorf(karbor.Invalid, "it is nested too deep")
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return canonicalObject(out, d, depth)
		}
		return canonicalList(out, d, depth)
	case string:
		writeText(out, v)
	case json.Number:
		return writeNumber(out, v)
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case nil:
		out.WriteString("null")
	default:
		return fmt.Errorf("a token of JSON is a %T", token)
	}
	return nil
}

func canonicalList(out *bytes.Buffer, d *json.Decoder, depth int) error {
	out.WriteByte('[')
	for first := true; d.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if err := canonical(out, d, depth+1); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return closed(d)
}

func canonicalObject(out *bytes.Buffer, d *json.Decoder, depth int) error {
	members := map[string][]byte{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return karbor.Errorf(karbor.Invalid, "it is not JSON")
		}
		if _, twice := members[name]; twice {
			return karbor.Errorf(karbor.Invalid, "the member %q is there twice", name)
		}
		var value bytes.Buffer
		if err := canonical(&value, d, depth+1); err != nil {
			return err
		}
		members[name] = value.Bytes()
	}
	names := slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	out.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			out.WriteByte(',')
		}
		writeText(out, name)
		out.WriteByte(':')
		out.Write(members[name])
	}
	out.WriteByte('}')
	return closed(d)
}

// closed takes the end of a list or an object.
func closed(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return karbor.Errorf(karbor.Invalid, "it is not JSON")
	}
	return nil
}

// writeNumber writes an integer as ECMAScript does.
func writeNumber(out *bytes.Buffer, n json.Number) error {
	const largest = 1 << 53
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || i > largest || i < -largest {
		return karbor.Errorf(karbor.Invalid, "the number %s is not an integer within 2^53", n)
	}
	out.WriteString(strconv.FormatInt(i, 10))
	return nil
}

// writeText writes a text as RFC 8785, 3.2.2.2 says.
func writeText(out *bytes.Buffer, text string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	out.WriteByte('"')
	for _, r := range text {
		switch escaped, ok := short[r]; {
		case ok:
			out.WriteString(escaped)
		case r < ' ':
			fmt.Fprintf(out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}
