// Package argument reads the values of the karbor command's arguments and flags. Each
// mistake in one is an error of the command line (package exit).
package argument

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/exit"
)

// Resources reads resources as python-karborclient has them:
// id=type=name[=extra_info], several of them divided by ',' or ';'. extra_info
// is JSON.
func Resources(text string) ([]karbor.Resource, error) {
	var all []karbor.Resource
	for _, one := range splitOutsideBraces(text) {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		parts := strings.SplitN(one, "=", 4)
		if len(parts) < 3 || slices.Contains(parts[:3], "") {
			return nil, exit.Usagef("the resource %q is not id=type=name[=extra_info]", one)
		}
		t, err := Type(parts[1])
		if err != nil {
			return nil, err
		}
		r := karbor.Resource{ID: parts[0], Type: t, Name: parts[2]}
		if len(parts) == 4 {
			if err := json.Unmarshal([]byte(parts[3]), &r.ExtraInfo); err != nil {
				return nil, exit.Usagef("the extra_info of the resource %q is not a JSON object of texts", one)
			}
		}
		all = append(all, r)
	}
	return all, nil
}

// splitOutsideBraces splits at ',' and ';' that are not within {}.
func splitOutsideBraces(text string) []string {
	depth := 0
	return strings.FieldsFunc(text, func(c rune) bool {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		}
		return depth <= 0 && (c == ',' || c == ';')
	})
}

// SplitType takes the type off a TYPE:rest, where a full type has colons too.
func SplitType(text string) (karbor.ResourceType, string, error) {
	for _, t := range karbor.ResourceTypes() {
		if rest, ok := strings.CutPrefix(text, string(t)+":"); ok && rest != "" {
			return t, rest, nil
		}
	}
	word, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" {
		return "", "", exit.Usagef("the resource %q is not TYPE:ID[:NAME], such as server:web", text)
	}
	t, err := Type(word)
	return t, rest, err
}

// Type understands a type's full name and its short word.
func Type(text string) (karbor.ResourceType, error) {
	var words []string
	for _, t := range karbor.ResourceTypes() {
		if text == string(t) || strings.EqualFold(text, t.Word()) {
			return t, nil
		}
		words = append(words, t.Word())
	}
	return "", exit.Usagef("%q is no resource type; there are %s, or the full names such as %s", text, strings.Join(words, ", "), karbor.ServerType)
}
