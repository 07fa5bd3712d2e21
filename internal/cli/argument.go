package cli

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// parseResources reads resources as python-karborclient has them:
// id=type=name[=extra_info], several of them divided by ',' or ';'. extra_info
// is JSON.
func parseResources(text string) ([]karbor.Resource, error) {
	var all []karbor.Resource
	for _, one := range splitOutsideBraces(text) {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		parts := strings.SplitN(one, "=", 4)
		if len(parts) < 3 || slices.Contains(parts[:3], "") {
			return nil, usagef("the resource %q is not id=type=name[=extra_info]", one)
		}
		t, err := resourceType(parts[1])
		if err != nil {
			return nil, err
		}
		r := karbor.Resource{ID: parts[0], Type: t, Name: parts[2]}
		if len(parts) == 4 {
			if err := json.Unmarshal([]byte(parts[3]), &r.ExtraInfo); err != nil {
				return nil, usagef("the extra_info of the resource %q is not a JSON object of texts", one)
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

// resolveResources reads resources as TYPE:ID[:NAME]. ID may be a name. A
// name that is left out is looked up in the cloud.
func (a *app) resolveResources(ctx context.Context, c *client.Client, texts []string) ([]karbor.Resource, error) {
	var all []karbor.Resource
	for _, text := range texts {
		t, rest, err := splitType(text)
		if err != nil {
			return nil, err
		}
		id, name, named := strings.Cut(rest, ":")
		if named && name != "" {
			all = append(all, karbor.Resource{Type: t, ID: id, Name: name})
			continue
		}
		i, err := a.findInstance(ctx, c, t, id)
		if err != nil {
			return nil, err
		}
		r := karbor.Resource{Type: t, ID: i.ID, Name: i.Name}
		if r.Name == "" {
			r.Name = r.ID
		}
		all = append(all, r)
	}
	return all, nil
}

// splitType takes the type off a TYPE:rest, where a full type has colons too.
func splitType(text string) (karbor.ResourceType, string, error) {
	for _, t := range karbor.ResourceTypes() {
		if rest, ok := strings.CutPrefix(text, string(t)+":"); ok && rest != "" {
			return t, rest, nil
		}
	}
	word, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" {
		return "", "", usagef("the resource %q is not TYPE:ID[:NAME], such as server:web", text)
	}
	t, err := resourceType(word)
	return t, rest, err
}

// parseParameters reads parameters of plans and restores: JSON objects keyed by
// type or TYPE#id, and resource_type=TYPE[,resource_id=ID],key=value,… as
// python-karborclient has them. key:=json gives a value that is no text.
func parseParameters(texts []string, document string) (karbor.Parameters, error) {
	all := karbor.Parameters{}
	if document != "" {
		texts = append(texts, document)
	}
	for _, text := range texts {
		some := karbor.Parameters{}
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			if err := json.Unmarshal([]byte(text), &some); err != nil {
				return nil, usagef("the parameters are not a JSON object of objects: %w", err)
			}
		} else {
			key, members, err := parseParameter(text)
			if err != nil {
				return nil, err
			}
			some[key] = members
		}
		for k, v := range some {
			if all[k] == nil {
				all[k] = map[string]any{}
			}
			maps.Copy(all[k], v)
		}
	}
	return all, nil
}

func parseParameter(text string) (string, map[string]any, error) {
	var t karbor.ResourceType
	id := ""
	members := map[string]any{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return "", nil, usagef("the parameters %q are not resource_type=TYPE[,resource_id=ID],key=value,…", text)
		}
		switch key {
		case "resource_type":
			var err error
			if t, err = resourceType(value); err != nil {
				return "", nil, err
			}
		case "resource_id":
			id = "#" + value
		default:
			name, isJSON := strings.CutSuffix(key, ":")
			var v any = value
			if isJSON && json.Unmarshal([]byte(value), &v) != nil {
				return "", nil, usagef("the value of %s in %q is not JSON", name, text)
			}
			members[name] = v
		}
	}
	if t == "" {
		return "", nil, usagef("the parameters %q have no resource_type", text)
	}
	return string(t) + id, members, nil
}

// parsePairs reads key=value texts. A key without '=' has no value.
func parsePairs(texts []string) map[string]any {
	if len(texts) == 0 {
		return nil
	}
	pairs := map[string]any{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if ok {
			pairs[key] = value
		} else {
			pairs[key] = nil
		}
	}
	return pairs
}
