// Package schema compiles JSON Schemas, checks documents against them, and says
// what is wrong in the API's words: the member and the value at fault. It serves
// the bodies of requests and the schemas that protection plug-ins publish.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/karbor/karbor"
)

// location is what a schema calls itself inside the compiler. It is never
// fetched.
const location = "karbor:schema"

// Schema is a compiled JSON Schema. It is safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
	text     json.RawMessage
}

// Compile reads a JSON Schema: draft 4 unless its $schema names a newer one. An
// empty text or null stands for {}, which accepts everything. References to other
// documents are refused: nothing is ever fetched. The error is karbor.Invalid.
func Compile(text json.RawMessage) (*Schema, error) {
	if t := bytes.TrimSpace(text); len(t) == 0 || bytes.Equal(t, []byte("null")) {
		text = json.RawMessage("{}")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "the schema is not JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(location, doc); err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "the schema can't be read: %w", err)
	}
	compiled, err := c.Compile(location)
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "the schema is not a JSON Schema: %w", err)
	}
	return &Schema{compiled: compiled, text: text}, nil
}

// Text gives the schema as it was handed to Compile.
func (s *Schema) Text() json.RawMessage { return s.text }

// Check reports what is wrong with v, which is made of the types that
// encoding/json decodes to (json.Number included). The error is karbor.Invalid;
// its text names the member and the value at fault, is bounded in length, and
// never shows what may be a secret.
func (s *Schema) Check(v any) error { return s.CheckNamed("", v) }

// CheckNamed is Check for a document that is a part of a larger one: name is its
// place there, such as plan.parameters, and goes before the members' own.
func (s *Schema) CheckNamed(name string, v any) error {
	err := s.compiled.Validate(v)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return karbor.Errorf(karbor.Invalid, "%s", cut(err.Error(), maxSentence))
	}
	return karbor.Errorf(karbor.Invalid, "%s", sentence(name, v, invalid))
}

// noLoader refuses to load anything.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema must not refer to another document (%s)", url)
}
