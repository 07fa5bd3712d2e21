package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// makeRecord takes an item apart into its members, in their order.
func makeRecord(item any) (record, error) {
	text, err := plain(item)
	if err != nil {
		return record{}, err
	}
	r := record{values: map[string]json.RawMessage{}}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return record{}, fmt.Errorf("printing: a %T is not an item with members", item)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return record{}, fmt.Errorf("printing: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return record{}, fmt.Errorf("printing: %w", err)
		}
		name := fmt.Sprint(key)
		r.keys = append(r.keys, name)
		r.values[name] = value
	}
	return r, nil
}

// members gives the members that a T may have, also those that are left out when
// they are empty.
func members[T any]() []string { return membersOf(reflect.TypeFor[T]()) }

func membersOf(t reflect.Type) []string {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var all []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			all = append(all, name)
		}
	}
	return all
}

// plain encodes a value without escaping <, > and &.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("printing: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// pick gives an object of the members keys, in that order; null for one that
// the item lacks.
func (r record) pick(keys []string) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(k) // a string always encodes
		b.Write(name)
		b.WriteByte(':')
		if v, ok := r.values[k]; ok {
			b.Write(v)
		} else {
			b.WriteString("null")
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// head gives a column's head: "provider_id" becomes "Provider id".
func head(key string) string {
	s := strings.ReplaceAll(key, "_", " ")
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// cell gives a value for a human. A string is itself, also when it holds JSON,
// which is laid out with the other documents; null is empty.
func cell(raw json.RawMessage, wide bool) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if wide && (strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")) && json.Valid([]byte(s)) {
			return indent([]byte(s))
		}
		return s
	}
	if named := summary(raw); named != "" && !wide {
		return named
	}
	if wide && (raw[0] == '{' || raw[0] == '[') {
		return indent(raw)
	}
	return string(raw)
}

// summary gives the name and id of an object that has both, on two lines as
// OpenStack's client shows the plan of a checkpoint.
func summary(raw json.RawMessage) string {
	var v struct{ ID, Name string }
	if raw[0] != '{' || json.Unmarshal(raw, &v) != nil || v.ID == "" || v.Name == "" {
		return ""
	}
	return "Name: " + v.Name + "\nId: " + v.ID
}

func indent(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
