package argument

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/cli/exit"
)

// Members reads a JSON object or key=value,key=value. A comma ends a value
// only where another known key follows, as patterns have commas, too.
func Members(text string, known ...string) (map[string]string, error) {
	members := map[string]string{}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return members, parseObject(text, members, known)
	}
	last := ""
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		key = strings.Trim(strings.TrimSpace(key), `"`)
		switch {
		case ok && slices.Contains(known, key):
			members[key] = strings.Trim(value, `"`)
			last = key
		case last != "":
			members[last] += "," + part
		default:
			return nil, exit.Usagef("%q is not key=value,key=value with the keys %s", text, strings.Join(known, ", "))
		}
	}
	return members, nil
}

// parseObject reads the members of a JSON object as texts.
func parseObject(text string, into map[string]string, known []string) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return exit.Usagef("%q is not a JSON object: %w", text, err)
	}
	for key, v := range object {
		if !slices.Contains(known, key) {
			return exit.Usagef("there is no %q; there are %s", key, strings.Join(known, ", "))
		}
		value, ok := v.(string)
		if !ok {
			raw, _ := json.Marshal(v) // it came out of JSON
			value = string(raw)
		}
		into[key] = value
	}
	return nil
}
