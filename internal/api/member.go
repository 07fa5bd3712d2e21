package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/karbor/karbor"
)

// Pairs reads a text of the form key=value,key=value, in which clients write an
// object. A comma ends a value only where a key with its '=' follows, so that
// values may have commas. A key that is not known, or there twice, is
// karbor.Invalid.
func Pairs(text string, known ...string) (map[string]string, error) {
	out := map[string]string{}
	last := ""
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		key = unquoted(key)
		switch {
		case ok && slices.Contains(known, key):
			if _, twice := out[key]; twice {
				return nil, karbor.Errorf(karbor.Invalid, "The text %s has the key %s twice.", quote(text), quote(key))
			}
			out[key] = unquoted(value)
			last = key
		case last != "" && !ok:
			out[last] += "," + part
		default:
			return nil, karbor.Errorf(karbor.Invalid, "The text %s is not of the form key=value,key=value: %s is not one of the keys %s.",
				quote(text), quote(key), strings.Join(known, ", "))
		}
	}
	return out, nil
}

// unquoted takes the quotes off that some write around keys and values.
func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// MemberParts turns a filter that is about an object into parts of the object's
// JSON, as encoding/json writes it, with texts for all values. The filter is a
// JSON object or key=value,key=value, whose members must all be there, or any other
// text, which must be somewhere in it. "" asks for nothing.
func MemberParts(filter string, known ...string) []string {
	if filter == "" {
		return nil
	}
	members := map[string]string{}
	var object map[string]any
	if json.Unmarshal([]byte(filter), &object) == nil && object != nil {
		for key, v := range object {
			text, ok := v.(string)
			if !ok {
				raw, _ := json.Marshal(v) // it came out of JSON
				text = string(raw)
			}
			members[key] = text
		}
	} else if pairs, err := Pairs(filter, known...); err == nil {
		members = pairs
	} else {
		return []string{strings.Trim(encoded(filter), `"`)}
	}
	parts := make([]string, 0, len(members))
	for key, value := range members {
		parts = append(parts, encoded(key)+":"+encoded(value))
	}
	slices.Sort(parts)
	return parts
}

func encoded(text string) string {
	raw, _ := json.Marshal(text) // a text always encodes
	return string(raw)
}
