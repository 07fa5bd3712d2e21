package openapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Shape is an answer that no Go type stands for: values of the types that its
// members have. A name with a question mark at its end is of a member that is not
// always there.
type Shape map[string]any

// schema is a JSON Schema of draft 2020-12, or any other object of a document.
type schema = map[string]any

var (
	rawType       = reflect.TypeFor[json.RawMessage]()
	marshalerType = reflect.TypeFor[json.Marshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
)

// schemaOf gives the schema of what json.Marshal makes of values like v: a Shape, a
// json.RawMessage that is a schema itself, or a value whose type counts. Fields of
// structs may carry the tags doc (a sentence), enum (words between bars) and format.
func schemaOf(v any) (schema, error) {
	switch v := v.(type) {
	case nil:
		return schema{}, nil
	case Shape:
		return shapeSchema(v)
	case json.RawMessage:
		return bodySchema(v)
	}
	return typeSchema(reflect.TypeOf(v))
}

func shapeSchema(s Shape) (schema, error) {
	properties, required := schema{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		member, err := schemaOf(s[name])
		if err != nil {
			return nil, fmt.Errorf("the member %s: %w", name, err)
		}
		always := strings.TrimSuffix(name, "?")
		properties[always] = member
		if always == name {
			required = append(required, name)
		}
	}
	return object(properties, required), nil
}

// object is the schema of an object that has no other members.
func object(properties schema, required []string) schema {
	out := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func typeSchema(t reflect.Type) (schema, error) {
	switch {
	case t == rawType || t.Kind() == reflect.Interface:
		return schema{}, nil
	case t.Implements(marshalerType) || reflect.PointerTo(t).Implements(marshalerType):
		return schema{}, nil
	case t.Implements(textType):
		return schema{"type": "string"}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return schema{"type": "boolean"}, nil
	case reflect.String:
		return schema{"type": "string"}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer"}, nil
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}, nil
	case reflect.Pointer:
		inner, err := typeSchema(t.Elem())
		return nullable(inner), err
	case reflect.Slice, reflect.Array:
		items, err := typeSchema(t.Elem())
		return schema{"type": "array", "items": items}, err
	case reflect.Map:
		values, err := typeSchema(t.Elem())
		return schema{"type": "object", "additionalProperties": values}, err
	case reflect.Struct:
		properties, required := schema{}, []string{}
		err := addFields(t, properties, &required)
		return object(properties, required), err
	default:
		return nil, fmt.Errorf("%v has no form in JSON", t)
	}
}

// addFields adds the members that a struct has on the wire.
func addFields(t reflect.Type, properties schema, required *[]string) error {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported() && !field.Anonymous:
			continue
		case field.Anonymous && name == "":
			if err := addFields(field.Type, properties, required); err != nil {
				return err
			}
			continue
		case name == "":
			name = field.Name
		}
		optional := slices.Contains(strings.Split(options, ","), "omitempty")
		member, err := fieldSchema(field, optional)
		if err != nil {
			return fmt.Errorf("the member %s: %w", name, err)
		}
		properties[name] = member
		if !optional {
			*required = append(*required, name)
		}
	}
	return nil
}

func fieldSchema(field reflect.StructField, optional bool) (schema, error) {
	t := field.Type
	// What is left out when it is nil is never null.
	if t.Kind() == reflect.Pointer && optional {
		t = t.Elem()
	}
	s, err := typeSchema(t)
	if err != nil {
		return nil, err
	}
	if text := field.Tag.Get("doc"); text != "" {
		s["description"] = text
	}
	if format := field.Tag.Get("format"); format != "" {
		s["format"] = format
	}
	if words := field.Tag.Get("enum"); words != "" {
		var list []any
		for word := range strings.SplitSeq(words, "|") {
			list = append(list, word)
		}
		if t.Kind() == reflect.Pointer {
			list = append(list, nil)
		}
		s["enum"] = list
	}
	return s, nil
}

// nullable is the schema with null beside its own type.
func nullable(s schema) schema {
	if kind, ok := s["type"].(string); ok {
		s["type"] = []any{kind, "null"}
	}
	return s
}

// bodySchema takes a JSON Schema over. What it keeps in definitions goes where it
// is used: within an OpenAPI document such a reference would lead elsewhere.
func bodySchema(text json.RawMessage) (schema, error) {
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	definitions, _ := s["definitions"].(map[string]any)
	delete(s, "definitions")
	delete(s, "$schema")
	inlined, err := inline(s, definitions, 0)
	if err != nil {
		return nil, err
	}
	return inlined.(schema), nil
}

const definitionPrefix = "#/definitions/"

// inline gives v with each reference to a definition replaced by that.
func inline(v any, definitions map[string]any, depth int) (any, error) {
	const deepest = 32
	if depth > deepest {
		return nil, fmt.Errorf("the schema is deeper than %d levels: its definitions name each other", deepest)
	}
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			target, known := definitions[strings.TrimPrefix(ref, definitionPrefix)]
			if !strings.HasPrefix(ref, definitionPrefix) || !known {
				return nil, fmt.Errorf("the reference %q leads nowhere", ref)
			}
			return inline(target, definitions, depth+1)
		}
		out := make(map[string]any, len(v))
		for name, member := range v {
			inner, err := inline(member, definitions, depth+1)
			if err != nil {
				return nil, err
			}
			out[name] = inner
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			inner, err := inline(item, definitions, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = inner
		}
		return out, nil
	default:
		return v, nil
	}
}
