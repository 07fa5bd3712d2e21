// Package openapi makes an OpenAPI 3.1 document of what an API serves
// (https://spec.openapis.org/oas/v3.1.0). It says what a document needs and what
// stands in it; the package api gives it the routes.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Parameter is one parameter of a query. It may always be left out.
type Parameter struct {
	Name        string
	Description string
	// Type is string (where it is empty), integer or boolean.
	Type string
	// Words are the only values, where there are such.
	Words []string
	// Format is as in JSON Schema, such as date or uuid.
	Format string
}

// Operation is one method on one path.
type Operation struct {
	Method string
	// Path is the whole path, in the words of http.ServeMux and of OpenAPI.
	Path string
	// Summary is a few words, Description more sentences in Markdown, or nothing.
	Summary, Description string
	// Tag is the group that it stands in.
	Tag string
	// Rule is the policy rule, and Since the microversion that brought it, such as
	// 1.1; "" for one that was always there.
	Rule, Since string
	Query       []Parameter
	// Body is the JSON Schema of the request's body, nil for none.
	Body json.RawMessage
	// Answer stands for the body of a success, as SchemaOf has it; nil is an empty
	// body.
	Answer any
	// Stream says that a success is a stream of server-sent events, the data of each of
	// which is an Answer.
	Stream bool
	// Open says that it needs no token.
	Open bool
	// Status is that of a success; 0 stands for 200.
	Status int
}

// Info is what a document says of the whole.
type Info struct {
	Title, Description string
	// Version is the newest microversion.
	Version string
	// Server is the address before the paths; "" is where the document came from.
	Server string
}

// Document writes the document, with members in a fixed order.
func Document(info Info, operations []Operation) ([]byte, error) {
	paths := schema{}
	seen := map[string]bool{}
	for _, o := range operations {
		described, err := o.object(seen)
		if err != nil {
			return nil, fmt.Errorf("describing %s %s: %w", o.Method, o.Path, err)
		}
		item, ok := paths[o.Path].(schema)
		if !ok {
			item = schema{}
			paths[o.Path] = item
		}
		item[strings.ToLower(o.Method)] = described
	}
	server := info.Server
	if server == "" {
		server = "/"
	}
	doc := schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": info.Title, "description": info.Description, "version": info.Version,
			"license": schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []any{schema{"url": server}},
		"paths":      paths,
		"components": components(),
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("writing the document: %w", err)
	}
	return b.Bytes(), nil
}

// object gives the Operation Object; seen holds the ids that are taken.
func (o Operation) object(seen map[string]bool) (schema, error) {
	out := schema{
		"operationId": o.id(seen), "summary": o.Summary, "parameters": o.parameters(),
		"security": []any{schema{"token": []any{}}},
	}
	if o.Open {
		out["security"] = []any{}
	}
	if o.Description != "" {
		out["description"] = o.Description
	}
	if o.Tag != "" {
		out["tags"] = []any{o.Tag}
	}
	if o.Rule != "" {
		out["x-policy-rule"] = o.Rule
	}
	if o.Since != "" {
		out["x-openstack"] = schema{"min-ver": o.Since}
	}
	if o.Body != nil {
		body, err := bodySchema(o.Body)
		if err != nil {
			return nil, err
		}
		out["requestBody"] = schema{"required": true, "content": jsonContent(body)}
	}
	success := schema{"description": "Success.", "headers": schema{requestIDHeader: ref("headers", "RequestID")}}
	if o.Answer != nil {
		answer, err := schemaOf(o.Answer)
		if err != nil {
			return nil, fmt.Errorf("the answer: %w", err)
		}
		success["content"] = jsonContent(answer)
		if o.Stream {
			success["description"] = "Events, as they happen; the schema is that of the data of one."
			success["content"] = schema{"text/event-stream": schema{"schema": answer}}
		}
	}
	status := o.Status
	if status == 0 {
		status = http.StatusOK
	}
	responses := schema{strconv.Itoa(status): success, "default": ref("responses", "Fault")}
	if !o.Open {
		for _, code := range []string{"400", "401", "403", "404"} {
			responses[code] = ref("responses", "Fault")
		}
	}
	out["responses"] = responses
	return out, nil
}

const requestIDHeader = "X-Openstack-Request-Id"

// id gives a name that no other operation has: the policy rule if it can.
func (o Operation) id(seen map[string]bool) string {
	name := strings.NewReplacer(":", "_", "-", "_").Replace(o.Rule)
	if name == "" || seen[name] {
		clean := strings.NewReplacer("/", "_", "{", "", "}", "", ".", "_", "-", "_")
		name = strings.ToLower(o.Method) + strings.TrimRight(clean.Replace(o.Path), "_")
	}
	seen[name] = true
	return name
}

// pathWords describe the parameters of paths.
var pathWords = map[string]string{
	"project_id":    "Id of the token's project.",
	"provider_id":   "Id of the provider.",
	"checkpoint_id": "Id of the checkpoint.",
	"type":          "Type of resources, such as OS::Nova::Server.",
	"id":            "Id of the thing.",
}

func (o Operation) parameters() []any {
	out := []any{}
	for part := range strings.SplitSeq(o.Path, "/") {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		name := strings.Trim(part, "{}")
		p := schema{"name": name, "in": "path", "required": true, "schema": schema{"type": "string"}}
		if words := pathWords[name]; words != "" {
			p["description"] = words
		}
		out = append(out, p)
	}
	query := slices.Clone(o.Query)
	slices.SortStableFunc(query, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	for _, q := range query {
		kind := q.Type
		if kind == "" {
			kind = "string"
		}
		s := schema{"type": kind}
		if len(q.Words) > 0 {
			s["enum"] = q.Words
		}
		if q.Format != "" {
			s["format"] = q.Format
		}
		out = append(out, schema{"name": q.Name, "in": "query", "description": q.Description, "schema": s})
	}
	if !o.Open {
		out = append(out, ref("parameters", "Version"))
	}
	if o.Method == http.MethodPost {
		out = append(out, ref("parameters", "IdempotencyKey"))
	}
	return out
}

func ref(kind, name string) schema { return schema{"$ref": "#/components/" + kind + "/" + name} }

func jsonContent(s schema) schema { return schema{"application/json": schema{"schema": s}} }
