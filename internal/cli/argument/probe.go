package argument

import (
	"strconv"
	"strings"

	"github.com/karbor/karbor/internal/cli/exit"
)

// Probes reads what --probe says: a name, "=" and its main member, and further members
// behind commas. nil is the service's choice.
func Probes(texts []string) (map[string]map[string]any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	main := map[string]string{"active": "", "console": "pattern", "volume": "", "port": "port", "command": ""}
	out := map[string]map[string]any{}
	for _, text := range texts {
		head, members, timed := strings.Cut(text, ",timeout=")
		if timed {
			members = "timeout=" + members
		}
		if before, digest, ok := strings.Cut(head, ",digest="); ok && !timed {
			head, members = before, "digest="+digest
		}
		name, value, valued := strings.Cut(head, "=")
		member, known := main[name]
		if !known || valued && member == "" || out[name] != nil {
			return nil, exit.Usagef("--probe %s: it is one of active, console, volume, port and command, each once", text)
		}
		probe := map[string]any{}
		if valued {
			probe[member] = value
		}
		if key, value, ok := strings.Cut(members, "="); ok {
			probe[key] = value
		}
		for _, number := range []string{"port", "timeout"} {
			if text, ok := probe[number].(string); ok {
				n, err := strconv.Atoi(text)
				if err != nil {
					return nil, exit.Usagef("--probe %s: %s is not a number", text, number)
				}
				probe[number] = n
			}
		}
		if text, ok := probe["digest"].(string); ok {
			yes, err := strconv.ParseBool(text)
			if err != nil {
				return nil, exit.Usagef("--probe %s: digest is true or false", text)
			}
			probe["digest"] = yes
		}
		out[name] = probe
	}
	return out, nil
}
