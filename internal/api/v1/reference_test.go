package v1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// object is a JSON object of the document.
type object = map[string]any

func (b *page) line(format string, args ...any) { fmt.Fprintf(&b.Builder, format+"\n", args...) }

// page is the reference page as it grows.
type page struct{ strings.Builder }

func TestTheReferencePageIsTheOneOfTheRoutes(t *testing.T) {
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../docs/api/reference.md", []byte(reference(doc)))
}

// reference writes the page of a document.
func reference(doc object) string {
	var b page
	b.line("# Reference of the REST API\n")
	b.line("Made of the routes in `internal/api/v1` (`go test ./internal/api/v1 -run Reference -update`); do not edit. The same, for programs,")
	b.line("is the OpenAPI 3.1 document that the service serves at `/v1/openapi.json`. What all operations share — versions, faults, paging —")
	b.line("is in [README.md](README.md).")
	groups := map[string][]string{}
	operations := map[string]object{}
	for path, item := range doc["paths"].(object) {
		for method, op := range item.(object) {
			key := path + " " + strings.ToUpper(method)
			operations[key] = op.(object)
			tag := op.(object)["tags"].([]any)[0].(string)
			groups[tag] = append(groups[tag], key)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(groups)) {
		b.line("\n## %s", tag)
		slices.Sort(groups[tag])
		for _, key := range groups[tag] {
			path, method, _ := strings.Cut(key, " ")
			b.operation(method, path, operations[key])
		}
	}
	return b.String()
}

func (b *page) operation(method, path string, op object) {
	b.line("\n### %s\n", op["summary"])
	b.line("`%s %s`\n", method, path)
	var facts []string
	if rule, ok := op["x-policy-rule"].(string); ok {
		facts = append(facts, "Policy rule `"+rule+"`.")
	} else {
		facts = append(facts, "Needs no token.")
	}
	if since, ok := op["x-openstack"].(object); ok {
		facts = append(facts, fmt.Sprintf("From microversion %s.", since["min-ver"]))
	}
	if text, ok := op["description"].(string); ok {
		facts = append(facts, text)
	}
	b.line("%s", strings.Join(facts, " "))
	b.query(op)
	if body, ok := op["requestBody"].(object); ok {
		b.line("\nBody:\n")
		b.schema(body)
	}
	for _, status := range []string{"200", "300"} {
		answer, ok := op["responses"].(object)[status].(object)
		if !ok {
			continue
		}
		if answer["content"] == nil {
			b.line("\nAnswer: %s, no body.", status)
			continue
		}
		b.line("\nAnswer: %s\n", status)
		b.schema(answer)
	}
}

func (b *page) query(op object) {
	first := true
	for _, v := range op["parameters"].([]any) {
		p := v.(object)
		if p["in"] != "query" {
			continue
		}
		if first {
			b.line("\n| query | type | meaning |\n|---|---|---|")
			first = false
		}
		b.line("| `%s` | %s | %s |", p["name"], typeOf(p["schema"].(object)), cell(p["description"]))
	}
}

// schema writes the members of a body as a table.
func (b *page) schema(holder object) {
	content := holder["content"].(object)
	media, ok := content["application/json"].(object)
	if !ok {
		media = content["text/event-stream"].(object)
		b.line("Events (`text/event-stream`); the data of one:\n")
	}
	s := media["schema"].(object)
	rows := members("", s)
	if len(rows) == 0 {
		b.line("`{}`")
		return
	}
	b.line("| member | type | |\n|---|---|---|")
	for _, r := range rows {
		b.line("%s", r)
	}
}

// members gives one row for each member, the inner ones below their own.
func members(prefix string, s object) []string {
	var rows []string
	properties, _ := s["properties"].(object)
	required, _ := s["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := properties[name].(object)
		path := prefix + name
		note := cell(p["description"])
		if !slices.Contains(required, any(name)) {
			note = strings.TrimSpace("optional; " + note)
			note = strings.TrimSuffix(note, ";")
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", path, typeOf(p), note))
		rows = append(rows, members(path+".", p)...)
		if items, ok := p["items"].(object); ok {
			rows = append(rows, members(path+"[].", items)...)
		}
	}
	return rows
}

// typeOf says what values a schema takes.
func typeOf(s object) string {
	if words, ok := s["enum"].([]any); ok {
		var list []string
		for _, w := range words {
			list = append(list, fmt.Sprintf("`%v`", w))
		}
		return strings.ReplaceAll(strings.Join(list, ", "), "`<nil>`", "null")
	}
	var kind string
	switch t := s["type"].(type) {
	case string:
		kind = t
	case []any:
		var list []string
		for _, k := range t {
			list = append(list, k.(string))
		}
		kind = strings.Join(list, " or ")
	default:
		kind = "any"
	}
	if items, ok := s["items"].(object); ok {
		kind += " of " + typeOf(items)
	}
	if values, ok := s["additionalProperties"].(object); ok && len(values) > 0 {
		kind += " of " + typeOf(values)
	}
	if format, ok := s["format"].(string); ok {
		kind += " (" + format + ")"
	}
	return kind
}

func cell(v any) string {
	s, _ := v.(string)
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}
