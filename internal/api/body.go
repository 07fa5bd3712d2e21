package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/schema"
)

// Bounds of a body.
const (
	// MaxBody is the most bytes of a body, where Limits says nothing else. A larger
	// one is a 413 without Retry-After: trying again helps nobody.
	MaxBody = 1 << 20
	// maxDepth is how deep objects and lists may lie in each other.
	maxDepth = 32
	// maxNumber is how long a number may be written, and maxExponent its largest
	// exponent: checks compute with exact numbers.
	maxNumber   = 64
	maxExponent = 300
)

// readBody reads a JSON body of at most limit bytes and checks it. Every fault but that of
// the size and of the time is karbor.Invalid.
func readBody(r *http.Request, s *schema.Schema, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLargeBody(limit)
	}
	text, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, tooLargeBody(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlowBody
	case err != nil:
		return nil, karbor.Errorf(karbor.Invalid, "The request body ended early.")
	case len(bytes.TrimSpace(text)) == 0:
		return nil, karbor.Errorf(karbor.Invalid, "Missing required element: the request has no body.")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || !isUTF8(params["charset"]) {
		return nil, karbor.Errorf(karbor.Invalid, "The content type %s is not supported: send application/json in UTF-8.", quote(r.Header.Get("Content-Type")))
	}
	v, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	return text, s.Check(v)
}

func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// decodeJSON reads exactly one JSON value, strictly: valid UTF-8, no NUL, no
// member twice, bounded depth and numbers. Every fault is karbor.Invalid.
func decodeJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, karbor.Errorf(karbor.Invalid, "The request body is not valid UTF-8.")
	}
	if !json.Valid(text) {
		return nil, notJSON(text)
	}
	d := decoder{json.NewDecoder(bytes.NewReader(text))}
	d.UseNumber()
	return d.value(0)
}

// notJSON says where a text stops being JSON.
func notJSON(text []byte) error {
	var v json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, &v); errors.As(err, &syntax) {
		return karbor.Errorf(karbor.Invalid, "Malformed request body: it is not JSON, at byte %d: %s.", syntax.Offset, syntax.Error())
	}
	return karbor.Errorf(karbor.Invalid, "Malformed request body: it is not JSON.")
}

type decoder struct{ *json.Decoder }

func (d decoder) value(depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "Malformed request body: it is not JSON.")
	}
	switch t := t.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return nil, karbor.Errorf(karbor.Invalid, "The request body is nested deeper than %d levels.", maxDepth)
		}
		if t == '{' {
			return d.object(depth + 1)
		}
		return d.list(depth + 1)
	case string:
		return t, checkText(t)
	case json.Number:
		return t, checkNumber(t)
	default:
		return t, nil
	}
}

func (d decoder) object(depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, karbor.Errorf(karbor.Invalid, "Malformed request body: it is not JSON.")
		}
		if err := checkText(name); err != nil {
			return nil, err
		}
		if _, twice := out[name]; twice {
			return nil, karbor.Errorf(karbor.Invalid, "The request body has the member %s twice.", quote(name))
		}
		if out[name], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, err
}

func (d decoder) list(depth int) (any, error) {
	out := []any{}
	for d.More() {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, err
}

func checkText(s string) error {
	if strings.ContainsRune(s, 0) {
		return karbor.Errorf(karbor.Invalid, "The request body has a NUL character in the text %s.", quote(s))
	}
	return nil
}

func checkNumber(n json.Number) error {
	s := string(n)
	_, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	e, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
	if exponent != "" && (err != nil || e > maxExponent || e < -maxExponent) || len(s) > maxNumber {
		return karbor.Errorf(karbor.Invalid, "The request body has a number that is out of range: %s.", quote(s))
	}
	return nil
}
