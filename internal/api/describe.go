package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/api/openapi"
)

// Parameter describes one parameter of a route's query.
type Parameter = openapi.Parameter

// Shape describes an answer that no Go type stands for: the members by name, each
// as a value of its type. A name with a question mark at its end is of a member that
// is not always there.
type Shape = openapi.Shape

// ListShape is what List answers with: items of the type of item.
func ListShape[T any](collection string, _ T) Shape {
	return Shape{collection: []T{}, collection + "_links?": []Link{}}
}

// PageQuery describes what Request.Page reads, and the parameters of more.
func PageQuery(sortKeys []string, more ...Parameter) []Parameter {
	keys := strings.Join(sortKeys, ", ")
	return append([]Parameter{
		{Name: "limit", Type: "integer", Description: "The most items of a page, 1 to 1000; more is cut to 1000, the default."},
		{Name: "marker", Description: "Id of the last item seen; the page begins behind it."},
		{Name: "offset", Type: "integer", Description: "How many items to leave out, behind the marker."},
		{Name: "sort", Description: "The order, as `key:dir,key:dir`; dir is asc or desc. Keys: " + keys + "."},
		{Name: "sort_key", Description: "One key of the order, in the older form."},
		{Name: "sort_dir", Words: []string{"asc", "desc"}, Description: "The direction of sort_key."},
	}, more...)
}

// AllTenantsQuery describes the first of what Request.ListProject reads.
func AllTenantsQuery() Parameter {
	return Parameter{Name: "all_tenants", Type: "boolean", Description: "For administrators: of all projects. Others' is ignored."}
}

// ProjectQuery describes the other one.
func ProjectQuery() Parameter {
	return Parameter{Name: "project_id", Description: "For administrators, with all_tenants: of this project."}
}

// FilterQuery describes a filter that matches exactly.
func FilterQuery(name string, words ...string) Parameter {
	return Parameter{Name: name, Words: words, Description: "Only items that have this " + name + "."}
}

// PartQuery describes a filter that matches a part of a text, whatever its case.
func PartQuery(name string) Parameter {
	return Parameter{Name: name, Description: "Only items that have this text in their " + name + ", whatever its case."}
}

const documentText = "Karbor protects the applications of OpenStack tenants. " +
	"A token of Keystone goes into X-Auth-Token, and its project into the path. Times are UTC, ISO 8601."

// Document gives the OpenAPI 3.1 document of routes.
func Document(routes []Route) ([]byte, error) {
	operations := []openapi.Operation{
		{Method: "GET", Path: "/", Tag: "versions", Summary: "List the versions of the API", Open: true,
			Status: http.StatusMultipleChoices, Answer: Shape{"versions": []versionView{}}},
		{Method: "GET", Path: "/v1/", Tag: "versions", Summary: "Show version 1 of the API", Open: true, Answer: Shape{"version": versionView{}}},
		{Method: "GET", Path: documentPath, Tag: "versions", Summary: "Get this document", Open: true, Answer: json.RawMessage(`{"type": "object"}`)},
	}
	for _, r := range routes {
		o := openapi.Operation{
			Method: r.Method, Path: projectPath + r.Pattern, Summary: r.Summary, Description: r.Description,
			Tag: r.tag(), Rule: r.Rule, Query: r.Query, Body: r.Body, Answer: r.Answer, Stream: r.Stream,
		}
		if r.Since > MinVersion {
			o.Since = r.Since.String()
		}
		operations = append(operations, o)
	}
	doc, err := openapi.Document(openapi.Info{
		Title: "OpenStack Application Data Protection (data-protect)", Description: documentText, Version: MaxVersion.String(),
	}, operations)
	if err != nil {
		return nil, fmt.Errorf("making the OpenAPI document: %w", err)
	}
	return doc, nil
}

// projectPath is what stands before every route's pattern.
const projectPath = "/v1/{project_id}"

// tag groups a route with the others of its resource.
func (r Route) tag() string {
	if r.Tag != "" {
		return r.Tag
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.Pattern, "/"), "/")
	return first
}
