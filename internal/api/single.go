package api

import (
	"bytes"
	"encoding/json"
)

// Single reads a member of a body that is an object or, as the original's documents
// have it, a list of one object.
type Single[T any] struct{ Value T }

// UnmarshalJSON implements json.Unmarshaler. The body has passed its schema: a list
// has one item.
func (s *Single[T]) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return json.Unmarshal(text, &s.Value)
	}
	list := []T{}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if len(list) > 0 {
		s.Value = list[0]
	}
	return nil
}
