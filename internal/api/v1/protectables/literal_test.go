package protectables_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api/v1/protectables"
)

func TestParametersAreReadAsJSONAndAsPython(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want map[string]any
	}{
		{"", nil},
		{"  ", nil},
		{"{}", map[string]any{}},
		{`{'region_name': 'east'}`, map[string]any{"region_name": "east"}},
		{`{"region_name": "east"}`, map[string]any{"region_name": "east"}},
		{`{u'a': u"it's", 'b': 'say "x"',}`, map[string]any{"a": "it's", "b": `say "x"`}},
		{`{'a': None, 'b': True, 'c': False}`, map[string]any{"a": nil, "b": true, "c": false}},
		{`{"a": null, "b": true, "c": false}`, map[string]any{"a": nil, "b": true, "c": false}},
		{`{'n': -3, 'f': 2.5e1, 'l': [1, (2, 3), (4,), []], 'd': {'x': {}}}`, map[string]any{
			"n": int64(-3), "f": 25.0,
			"l": []any{int64(1), []any{int64(2), int64(3)}, []any{int64(4)}, []any{}},
			"d": map[string]any{"x": map[string]any{}},
		}},
		{`{'e': '\x41\u00e4\'\\\n\U0001F600'}`, map[string]any{"e": "Aä'\\\n😀"}},
		{`{"e": "\ud83d\ude00\/ä"}`, map[string]any{"e": "😀/ä"}},
	}
	for _, tt := range tests {
		got, err := protectables.ParseParameters(tt.text)
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", tt.text, err, d)
		}
	}
}

func TestParametersThatAreNoDictionaryAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"[]", "5", "'x'", "None", "{", "{'a'", "{'a':", "{'a': 1", "{'a' 1}", "{'a': 1 'b': 2}", "{1: 2}", "{'a': 1} x",
		"{'a': 'x}", "{'a': \"x'}", "{'a': '\\q'}", `{'a': '\ud83d'}`, `{'a': '\ud83dxude00'}`, `{'a': '\u00'}`, `{'a': '\x00'}`, "{'a': '\n'}",
		"{'a': 99999999999999999999}", "{'a': 1-2}", "{'a': 1e999}", "{'a': --1}", "{'a': nan}", "{'a': b'x'}", "{'a': u}",
		"{'a': __import__('os').system('true')}", "{'a': 1 + 1}", "{,}", "{'a': [,]}",
		strings.Repeat("{'a': ", 50) + "1" + strings.Repeat("}", 50),
		"{'a': '" + strings.Repeat("x", 20000) + "'}",
	} {
		v, err := protectables.ParseParameters(text)
		if karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%.60s: %v, %v", text, v, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.60s: the message has %d bytes", text, len(err.Error()))
		}
	}
}

func FuzzParseParameters(f *testing.F) {
	for _, seed := range []string{`{'a': (1, None)}`, `{"a": "\ud83d\ude00"}`, `{u'x': u"y",}`, `{'a': -1.5e+3}`, "{", `{'`, `{'a': '\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := protectables.ParseParameters(text)
		if err != nil {
			if karbor.KindOf(err) != karbor.Invalid {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		// What was read can be written as JSON, and reads the same again.
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got == nil || len(again) > 16<<10 || strings.Contains(text, `\x`) && strings.ContainsRune(string(again), '\u007f') {
			return
		}
		back, err := protectables.ParseParameters(string(again))
		if err != nil && !strings.Contains(string(again), `\u0000`) || err == nil && fmt.Sprint(back) != fmt.Sprint(got) && strings.ToValidUTF8(text, "") == text {
			t.Errorf("%q became %s, which reads as %v, %v", text, again, back, err)
		}
	})
}
