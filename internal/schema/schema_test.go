package schema_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/schema"
)

const planSchema = `{
 "type": "object", "additionalProperties": false, "required": ["plan"],
 "properties": {"plan": {
  "type": "object", "additionalProperties": false, "required": ["provider_id"],
  "properties": {
   "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 5},
   "provider_id": {"type": "string", "format": "uuid"},
   "count": {"type": "integer", "minimum": 1, "maximum": 3},
   "mode": {"enum": ["full", "incremental"]},
   "either": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"type": "integer"}}}]},
   "restore_auth": {"type": "object", "additionalProperties": false, "properties": {"password": {"type": "string"}}},
   "resources": {"type": "array", "minItems": 1, "items": {"type": "object", "properties": {"type": {"type": "string"}}}}
  }}}}`

func compile(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile(json.RawMessage(text))
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return s
}

func decode(t testing.TB, text string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCheckNamesTheMemberAndTheValueAtFault(t *testing.T) {
	t.Parallel()
	const id = `"provider_id": "6659007d-6f66-4a0f-9cb4-17d6aded0bb9"`
	tests := []struct{ name, doc, want string }{
		{"a wrong type deep inside", `{"plan": {` + id + `, "resources": [{"type": 5}]}}`,
			"Invalid input for field/attribute plan.resources[0].type. Value: 5. It must be of type string, not number."},
		{"a missing member", `{"plan": {}}`,
			"Invalid input for field/attribute plan.provider_id. It is required."},
		{"a missing top member", `{}`,
			"Invalid input for field/attribute plan. It is required."},
		{"an unknown member", `{"plan": {` + id + `, "foo": "bar"}}`,
			`Invalid input for field/attribute plan.foo. Value: "bar". This member is not known here.`},
		{"a body that is no object", `[]`,
			"Invalid input for field/attribute body. Value: a list of 0 items. It must be of type object, not array."},
		{"a bad uuid", `{"plan": {"provider_id": "x"}}`,
			`Invalid input for field/attribute plan.provider_id. Value: "x". It is not a valid uuid.`},
		{"too few items", `{"plan": {` + id + `, "resources": []}}`,
			"Invalid input for field/attribute plan.resources. Value: a list of 0 items. It must have at least 1 items."},
		{"too long", `{"plan": {` + id + `, "name": "äöüäöü"}}`,
			`Invalid input for field/attribute plan.name. Value: "äöüäöü". It must have at most 5 characters, and has 6.`},
		{"empty", `{"plan": {` + id + `, "name": ""}}`,
			`Invalid input for field/attribute plan.name. Value: "". It must have at least 1 characters.`},
		{"a number too small", `{"plan": {` + id + `, "count": 0}}`,
			"Invalid input for field/attribute plan.count. Value: 0. It must be at least 1."},
		{"not in the enumeration", `{"plan": {` + id + `, "mode": "half"}}`,
			`Invalid input for field/attribute plan.mode. Value: "half". It must be one of ["full","incremental"].`},
		{"the alternative that came furthest", `{"plan": {` + id + `, "either": {"x": "y"}}}`,
			`Invalid input for field/attribute plan.either.x. Value: "y". It must be of type integer, not string.`},
		{"a secret of a wrong type", `{"plan": {` + id + `, "restore_auth": {"password": 4711}}}`,
			"Invalid input for field/attribute plan.restore_auth.password. Value: ***. It must be of type string, not number."},
		{"a mistyped secret", `{"plan": {` + id + `, "restore_auth": {"pasword": "hunter2"}}}`,
			"Invalid input for field/attribute plan.restore_auth.pasword. Value: ***. This member is not known here."},
		{"a text where secrets should be", `{"plan": {` + id + `, "restore_auth": "hunter2"}}`,
			"Invalid input for field/attribute plan.restore_auth. Value: ***. It must be of type object, not string."},
		{"a list where secrets should be", `{"plan": {` + id + `, "restore_auth": ["hunter2"]}}`,
			"Invalid input for field/attribute plan.restore_auth. Value: a list of 1 items. It must be of type object, not array."},
		{"two faults, in order", `{"plan": {"zoo": 1, "ape": 2, ` + id + `}}`,
			"Invalid input for field/attribute plan.ape. Value: 2. This member is not known here. Invalid input for field/attribute plan.zoo. Value: 1. This member is not known here."},
	}
	s := compile(t, planSchema)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := s.Check(decode(t, tt.doc))
			if karbor.KindOf(err) != karbor.Invalid {
				t.Fatalf("kind of %v is not Invalid", err)
			}
			if got := karbor.Sentence(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCheckAcceptsWhatTheSchemaAllows(t *testing.T) {
	t.Parallel()
	s := compile(t, planSchema)
	for _, doc := range []string{
		`{"plan": {"provider_id": "6659007d-6f66-4a0f-9cb4-17d6aded0bb9"}}`,
		`{"plan": {"provider_id": "6659007d-6f66-4a0f-9cb4-17d6aded0bb9", "name": null, "count": 2.0, "either": "x"}}`,
	} {
		if err := s.Check(decode(t, doc)); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestCheckNamedPutsTheNameBeforeThePath(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"properties": {"mode": {"type": "string"}}}`)
	err := s.CheckNamed("plan.parameters", map[string]any{"mode": true})
	want := "Invalid input for field/attribute plan.parameters.mode. Value: true. It must be of type string, not boolean."
	if karbor.Sentence(err) != want {
		t.Errorf("got %v", err)
	}
	if err := s.CheckNamed("plan.parameters", "x"); err != nil {
		t.Errorf("a schema without a type refuses a text: %v", err)
	}
}

func TestCheckSaysWhatTheValueMustBe(t *testing.T) {
	t.Parallel()
	tests := []struct{ schema, doc, want string }{
		{`{"pattern": "^a"}`, `"b"`, `Value: "b". It does not match the pattern ^a.`},
		{`{"maxItems": 1}`, `[1, 2]`, "It must have at most 1 items, and has 2."},
		{`{"minProperties": 1}`, `{}`, "Value: an object of 0 members. It must have at least 1 members."},
		{`{"maxProperties": 1}`, `{"a": 1, "b": 2}`, "It must have at most 1 members, and has 2."},
		{`{"uniqueItems": true}`, `[1, 2, 1]`, "Its items 0 and 2 are equal."},
		{`{"maximum": 2.5}`, `3`, "It must be at most 2.5."},
		{`{"minimum": 2, "exclusiveMinimum": true}`, `2`, "It must be more than 2."},
		{`{"maximum": 2, "exclusiveMaximum": true}`, `2`, "It must be less than 2."},
		{`{"multipleOf": 2}`, `3`, "It must be a multiple of 2."},
		{`{"$schema": "https://json-schema.org/draft/2020-12/schema", "const": 1}`, `2`, "It must be 1."},
		{`{"not": {}}`, `null`, "Value: null. It is not what the schema allows"},
		{`{"properties": {"a b": {"type": "null"}}}`, `{"a b": 1}`, `field/attribute "a b". Value: 1.`},
	}
	for _, tt := range tests {
		if got := karbor.Sentence(compile(t, tt.schema).Check(decode(t, tt.doc))); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q does not say %q", tt.schema, got, tt.want)
		}
	}
}

func TestCheckKeepsTheSentenceShort(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"additionalProperties": false, "patternProperties": {"^x$": {"type": "integer"}}}`)
	doc := map[string]any{"x": strings.Repeat("ä", 5000)}
	for i := range 50 {
		doc[strings.Repeat("m", 400+i)] = strings.Repeat("v", 4000)
	}
	err := s.Check(doc)
	got := karbor.Sentence(err)
	if len(got) > 1000 || !utf8.ValidString(got) || !strings.Contains(got, "more.)") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestCompileTakesNothingForEverything(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", " {} "} {
		if err := compile(t, text).Check(map[string]any{"a": 1.5}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{`, `[]`, `{"type": 5}`, `{"$ref": "http://example.org/x.json"}`,
		`{"$ref": "file:///etc/passwd"}`, `{"pattern": "("}`,
	} {
		if _, err := schema.Compile(json.RawMessage(text)); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("Compile(%s) = %v, want Invalid", text, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(planSchema, `{"plan": {"name": 5}}`)
	f.Add(`{"type": "array", "items": {"$ref": "#"}}`, `[[[1]]]`)
	f.Add(`{"oneOf": [{"type": "string"}, {"minimum": 3}]}`, `"x"`)
	f.Add(`{"not": {}}`, `{"a": "\u0000"}`)
	f.Fuzz(func(t *testing.T, text, doc string) {
		if len(text)+len(doc) > 10000 {
			return
		}
		s, err := schema.Compile(json.RawMessage(text))
		if err != nil {
			return
		}
		var v any
		if json.Unmarshal([]byte(doc), &v) != nil {
			return
		}
		if err := s.Check(v); err != nil {
			got := karbor.Sentence(err)
			if karbor.KindOf(err) != karbor.Invalid || got == "" || len(got) > 1000 || !utf8.ValidString(got) {
				t.Errorf("%q", got)
			}
		}
	})
}
