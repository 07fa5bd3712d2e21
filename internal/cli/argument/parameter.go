package argument

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/cli/exit"
)

// ParameterFlags are the flags of a command that takes parameters for plug-ins.
type ParameterFlags struct {
	texts    []string
	document string
}

// Add adds the flags.
func (p *ParameterFlags) Add(f *pflag.FlagSet) {
	f.StringArrayVar(&p.texts, "parameters", nil, "resource_type=TYPE[,resource_id=ID],key=value,… or JSON (repeatable)")
	f.StringArrayVar(&p.texts, "parameter", nil, "same as --parameters")
	f.StringVar(&p.document, "parameters-json", "", "parameters as JSON")
}

// Read gives what the flags say.
func (p *ParameterFlags) Read() (karbor.Parameters, error) { return Parameters(p.texts, p.document) }

// Parameters reads parameters of plans and restores: JSON objects keyed by
// type or TYPE#id, and resource_type=TYPE[,resource_id=ID],key=value,… as
// python-karborclient has them. key:=json gives a value that is no text.
func Parameters(texts []string, document string) (karbor.Parameters, error) {
	all := karbor.Parameters{}
	if document != "" {
		texts = append(texts, document)
	}
	for _, text := range texts {
		some := karbor.Parameters{}
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			if err := json.Unmarshal([]byte(text), &some); err != nil {
				return nil, exit.Usagef("the parameters are not a JSON object of objects: %w", err)
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
			return "", nil, exit.Usagef("the parameters %q are not resource_type=TYPE[,resource_id=ID],key=value,…", text)
		}
		switch key {
		case "resource_type":
			var err error
			if t, err = Type(value); err != nil {
				return "", nil, err
			}
		case "resource_id":
			id = "#" + value
		default:
			name, isJSON := strings.CutSuffix(key, ":")
			var v any = value
			if isJSON && json.Unmarshal([]byte(value), &v) != nil {
				return "", nil, exit.Usagef("the value of %s in %q is not JSON", name, text)
			}
			members[name] = v
		}
	}
	if t == "" {
		return "", nil, exit.Usagef("the parameters %q have no resource_type", text)
	}
	return string(t) + id, members, nil
}

// Pairs reads key=value texts. A key without '=' has no value.
func Pairs(texts []string) map[string]any {
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
