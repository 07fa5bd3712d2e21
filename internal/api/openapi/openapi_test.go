package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/api/openapi"
)

type inner struct {
	Kind string `json:"kind" enum:"a|b" doc:"What it is."`
}

type shown struct {
	inner
	ID      string            `json:"id" format:"uuid"`
	When    *string           `json:"when" format:"date-time"`
	Size    *int64            `json:"size,omitempty"`
	List    []inner           `json:"list"`
	Words   map[string]string `json:"words"`
	Any     json.RawMessage   `json:"any"`
	Plain   bool
	Ratio   float64 `json:"ratio"`
	Nothing int     `json:"-"`
	hidden  int     //nolint:unused // the test sees that it is left out
}

// answerSchema gives the schema that an answer gets in a document.
func answerSchema(t *testing.T, answer any) map[string]any {
	t.Helper()
	text, err := openapi.Document(openapi.Info{Title: "x", Version: "1"}, []openapi.Operation{{Method: "GET", Path: "/x", Answer: answer}})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Responses map[string]struct {
					Content map[string]struct {
						Schema map[string]any `json:"schema"`
					} `json:"content"`
				} `json:"responses"`
			} `json:"get"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Paths["/x"].Get.Responses["200"].Content["application/json"].Schema
}

func TestASchemaFallsOutOfAType(t *testing.T) {
	t.Parallel()
	var want map[string]any
	kind := `{"type": "string", "enum": ["a", "b"], "description": "What it is."}`
	if err := json.Unmarshal([]byte(`{"type": "object", "additionalProperties": false,
		"required": ["kind", "id", "when", "list", "words", "any", "Plain", "ratio"],
		"properties": {
			"kind": `+kind+`, "id": {"type": "string", "format": "uuid"}, "when": {"type": ["string", "null"], "format": "date-time"},
			"size": {"type": "integer"}, "words": {"type": "object", "additionalProperties": {"type": "string"}}, "any": {},
			"Plain": {"type": "boolean"}, "ratio": {"type": "number"},
			"list": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["kind"], "properties": {"kind": `+kind+`}}}}}`), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, answerSchema(t, shown{})); d != "" {
		t.Error(d)
	}
	wrapped := map[string]any{"type": "object", "additionalProperties": false, "required": []any{"thing"},
		"properties": map[string]any{"thing": want, "more": map[string]any{"type": "string"}}}
	if d := cmp.Diff(wrapped, answerSchema(t, openapi.Shape{"thing": shown{}, "more?": ""})); d != "" {
		t.Error(d)
	}
}

func TestDefinitionsGoWhereTheyAreUsed(t *testing.T) {
	t.Parallel()
	schema := json.RawMessage(`{"type": "array", "items": {"$ref": "#/definitions/a"}, "definitions": {"a": {"anyOf": [{"$ref": "#/definitions/b"}]}, "b": {"type": "null"}}}`)
	want := map[string]any{"type": "array", "items": map[string]any{"anyOf": []any{map[string]any{"type": "null"}}}}
	if d := cmp.Diff(want, answerSchema(t, schema)); d != "" {
		t.Error(d)
	}
}

func TestWhatHasNoFormIsAnError(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]any{
		"a function":            struct{ F func() }{},
		"a channel in a shape":  openapi.Shape{"x": make(chan int)},
		"a reference elsewhere": json.RawMessage(`{"$ref": "http://example/x"}`),
		"an unknown definition": json.RawMessage(`{"$ref": "#/definitions/x"}`),
		"definitions that turn": json.RawMessage(`{"$ref": "#/definitions/x", "definitions": {"x": {"not": {"$ref": "#/definitions/x"}}}}`),
		"no JSON":               json.RawMessage(`{`),
	} {
		_, err := openapi.Document(openapi.Info{}, []openapi.Operation{{Method: "GET", Path: "/x", Answer: answer}})
		if err == nil || !strings.Contains(err.Error(), "GET /x") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
