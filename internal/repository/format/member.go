package format

import "encoding/json"

// members gives the JSON object with the members of these names, told apart by case,
// and no others: those are nobody's. It is an error if text is no object.
func members(text []byte, names ...string) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	known := make(map[string]json.RawMessage, len(names))
	for _, name := range names {
		if value, ok := all[name]; ok {
			known[name] = value
		}
	}
	return json.Marshal(known)
}

// ParseManifest reads the manifest of a stream, for OpenManifest.
func ParseManifest(text []byte) (*Manifest, error) {
	const what = "manifest"
	if len(text) > MaxManifest {
		return nil, damaged(what, "it has more than %d bytes", MaxManifest)
	}
	known, err := members(text, "format", "domain", "repository", "size", "root")
	if err != nil {
		return nil, damaged(what, "it is no JSON object")
	}
	m := &Manifest{}
	if err := json.Unmarshal(known, m); err != nil {
		return nil, damaged(what, "a member of it is of another type")
	}
	m.New, m.Stored = figure(text, "new"), figure(text, "stored")
	return m, nil
}

// figure reads a member that nobody needs; 0 if it is none.
func figure(text []byte, name string) (n int64) {
	known, err := members(text, name)
	if err == nil {
		var figures map[string]int64
		if json.Unmarshal(known, &figures) == nil {
			n = max(0, figures[name])
		}
	}
	return n
}
