package neutron

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// object is a JSON object.
type object = map[string]any

// standard is what all kinds of resources have.
type standard struct {
	ID          string   `json:"id"`
	TenantID    string   `json:"tenant_id"`
	ProjectID   string   `json:"project_id"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	CreatedAt   string   `json:"created_at"`
	UpdatedAt   string   `json:"updated_at"`
	Revision    int      `json:"revision_number"`
}

func (s *standard) std() *standard { return s }

// resource is a pointer to a document with the standard members.
type resource[T any] interface {
	*T
	std() *standard
}

// kind describes a kind of resource: its words and its attributes.
type kind struct {
	one, path string // network, networks; the body's plural is that of the path
	label     string // Network, as errors say it
	missing   string // the error's type when there is none
	absent    string // how the message goes on: "could not be found."
	quota     string // the name of its quota; empty: none
	// creates and updates are the attributes that a body may have.
	creates, updates []string
	// admin are those that only an administrator may send, hidden those
	// that only an administrator sees.
	admin, hidden []string
	// filters are names to filter by beside the attributes.
	filters []string
}

func (k kind) many() string { return strings.ReplaceAll(k.path, "-", "_") }

func (k kind) notFound(id string) error {
	return fabric.Typed(http.StatusNotFound, k.missing, "%s %s %s", k.label, id, k.absent)
}

// input is the inner object of a request's body.
type input map[string]json.RawMessage

func (in input) has(name string) bool { _, ok := in[name]; return ok }

// null tells whether the member is there and null.
func (in input) null(name string) bool { return string(in[name]) == "null" }

// hooks are what differs between kinds. All run inside Atomic, but visible
// and view.
type hooks[T any] struct {
	blank   func(project string) T
	visible func(who fabric.Identity, doc T) bool
	create  func(who fabric.Identity, doc *T, in input) error
	update  func(who fabric.Identity, old T, doc *T, in input) error
	remove  func(who fabric.Identity, doc T) error
	// view completes what is shown; nil for nothing.
	view func(doc T, shown object)
}

// table is a kind of resources with its documents and routes.
type table[T any] struct {
	kind
	hooks[T]
	n    *Neutron
	docs *fabric.Collection[T]
	std  func(*T) *standard
	// known are the attributes, for filters.
	known map[string]bool
}

func newTable[T any, P resource[T]](n *Neutron, k kind, h hooks[T]) *table[T] {
	t := &table[T]{
		kind: k, hooks: h, n: n,
		docs: fabric.NewCollection[T](n.fab.Store, "neutron-"+k.path),
		std:  func(doc *T) *standard { return P(doc).std() },
	}
	t.known = map[string]bool{}
	for name := range t.show(fabric.Identity{Roles: []string{"admin"}}, h.blank("")) {
		t.known[name] = true
	}
	for _, name := range k.filters {
		t.known[name] = true
	}
	path := root + "/v2.0/" + k.path
	n.Handle("GET "+path, t.handleList)
	n.Handle("POST "+path, t.handleCreate)
	n.Handle("GET "+path+"/{id}", t.handleShow)
	n.Handle("PUT "+path+"/{id}", t.handleUpdate)
	n.Handle("DELETE "+path+"/{id}", t.handleDelete)
	t.tagRoutes(path + "/{id}/tags")
	return t
}

// fresh gives the standard members of something new.
func (n *Neutron) fresh(project string) standard {
	now := fabric.Seconds(n.fab.Clock.Now())
	return standard{
		ID: fabric.NewID(), TenantID: project, ProjectID: project, Tags: []string{},
		CreatedAt: now, UpdatedAt: now, Revision: 1,
	}
}

// touch marks a document as changed now.
func (t *table[T]) touch(doc *T) {
	s := t.std(doc)
	s.UpdatedAt = fabric.Seconds(t.n.fab.Clock.Now())
	s.Revision++
}

// keep stores a changed document.
func (t *table[T]) keep(doc T) {
	t.touch(&doc)
	t.docs.Put(t.std(&doc).ID, doc)
}

// show gives a document as the identity may see it.
func (t *table[T]) show(who fabric.Identity, doc T) object {
	shown := object{}
	encoded, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(encoded, &shown)
	}
	if err != nil {
		t.n.fab.Log.Error("encoding a resource", "kind", t.one, "error", err)
	}
	if t.view != nil {
		t.view(doc, shown)
	}
	if !who.Admin() {
		for _, name := range t.hidden {
			delete(shown, name)
		}
	}
	return shown
}

// find gives the document that the identity may see.
func (t *table[T]) find(who fabric.Identity, id string) (T, error) {
	doc, ok := t.docs.Get(id)
	if !ok || !t.visible(who, doc) {
		return doc, t.notFound(id)
	}
	return doc, nil
}

// own gives the document that the identity may change. What it may see but
// not change is refused.
func (t *table[T]) own(who fabric.Identity, id, verb string) (T, error) {
	doc, err := t.find(who, id)
	if err != nil {
		return doc, err
	}
	if !who.Writer() || !who.Admin() && t.std(&doc).ProjectID != who.ProjectID {
		return doc, t.disallowed(verb)
	}
	return doc, nil
}

func (t *table[T]) disallowed(verb string) error {
	return fabric.Typed(http.StatusForbidden, "PolicyNotAuthorized", "rule:%s_%s is disallowed by policy", verb, t.one)
}

// read reads and checks a request's body against the attributes allowed.
func (t *table[T]) read(r *fabric.Request, verb string, allowed []string) (input, error) {
	var body map[string]input
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	in, ok := body[t.one]
	if !ok {
		return nil, fabric.BadRequest("Unable to find '%s' in request body", t.one)
	}
	var unknown, denied []string
	for _, name := range slices.Sorted(maps.Keys(in)) {
		switch {
		case slices.Contains(t.admin, name):
			if !r.Admin() && !t.harmless(name, in[name]) {
				denied = append(denied, name)
			}
		case !slices.Contains(allowed, name):
			unknown = append(unknown, "'"+name+"'")
		}
	}
	if len(unknown) > 0 {
		return nil, fabric.BadRequest("Unrecognized attribute(s) %s", strings.Join(unknown, ", "))
	}
	if len(denied) > 0 {
		return nil, fabric.Typed(http.StatusForbidden, "PolicyNotAuthorized",
			"(rule:%[1]s_%[2]s and rule:%[1]s_%[2]s:%[3]s) is disallowed by policy", verb, t.one, denied[0])
	}
	return in, nil
}

// harmless tells whether an administrator's attribute only says its default.
func (t *table[T]) harmless(name string, value json.RawMessage) bool {
	return string(value) == "false" && (name == "shared" || name == "router:external") || string(value) == "null"
}

// into decodes the members of a body over a document.
func into[T any](doc *T, in input) error {
	encoded, err := json.Marshal(in)
	if err != nil {
		return fabric.BadRequest("Malformed request body: %v", err)
	}
	err = json.Unmarshal(encoded, doc)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		name, _, _ := strings.Cut(strings.TrimPrefix(wrong.Field, "standard."), ".")
		return fabric.BadRequest("Invalid input for %s. Reason: '%s' is not a valid %s.", name, in.plain(name), wrong.Type)
	}
	if err != nil {
		return fabric.BadRequest("Malformed request body: %v", err)
	}
	return nil
}

// overlay gives a document with the members of a body in place of its own.
func overlay[T any](old T, in input) (T, error) {
	var doc T
	all := input{}
	encoded, err := json.Marshal(old)
	if err == nil {
		err = json.Unmarshal(encoded, &all)
	}
	if err != nil {
		return doc, fmt.Errorf("reading the stored resource: %w", err)
	}
	maps.Copy(all, in)
	return doc, into(&doc, all)
}

func (in input) plain(name string) string { return strings.Trim(string(in[name]), `"`) }

// project is whom something new belongs to.
func project(who fabric.Identity, in input) (string, error) {
	for _, name := range []string{"project_id", "tenant_id"} {
		if !in.has(name) {
			continue
		}
		asked := in.plain(name)
		if asked != who.ProjectID && !who.Admin() {
			return "", fabric.BadRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges")
		}
		return asked, nil
	}
	return who.ProjectID, nil
}

// add makes a resource; it must run inside Atomic.
func (t *table[T]) add(who fabric.Identity, in input) (T, error) {
	var none T
	owner, err := project(who, in)
	if err != nil {
		return none, err
	}
	if err := t.room(owner); err != nil {
		return none, err
	}
	doc := t.blank(owner)
	if err := into(&doc, in); err != nil {
		return none, err
	}
	t.std(&doc).TenantID, t.std(&doc).ProjectID = owner, owner
	if err := t.create(who, &doc, in); err != nil {
		return none, err
	}
	t.docs.Put(t.std(&doc).ID, doc)
	return doc, nil
}

// room checks the quota for one more.
func (t *table[T]) room(owner string) error {
	if t.quota == "" {
		return nil
	}
	if over := t.n.fab.Quotas.Check(owner, t.quota, t.used(owner), 1); over != nil {
		return over.Neutron()
	}
	return nil
}

func (t *table[T]) used(owner string) int {
	return len(t.docs.List(func(doc T) bool { return t.std(&doc).ProjectID == owner }))
}

func (t *table[T]) handleCreate(r *fabric.Request) error {
	if !r.Writer() {
		return t.disallowed("create")
	}
	in, err := t.read(r, "create", t.creates)
	if err != nil {
		return err
	}
	var doc T
	err = t.n.fab.Atomic(func() error {
		t.n.ensureDefaultGroup(r.ProjectID)
		doc, err = t.add(r.Identity, in)
		return err
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusCreated, object{t.one: t.show(r.Identity, doc)})
}

func (t *table[T]) handleShow(r *fabric.Request) error {
	doc, err := t.find(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, object{t.one: onlyFields(t.show(r.Identity, doc), r.URL.Query()["fields"])})
}

func (t *table[T]) handleUpdate(r *fabric.Request) error {
	in, err := t.read(r, "update", t.updates)
	if err != nil {
		return err
	}
	var doc T
	err = t.n.fab.Atomic(func() error {
		old, err := t.own(r.Identity, r.PathValue("id"), "update")
		if err != nil {
			return err
		}
		if doc, err = overlay(old, in); err != nil {
			return err
		}
		if err := t.update(r.Identity, old, &doc, in); err != nil {
			return err
		}
		t.touch(&doc)
		t.docs.Put(t.std(&doc).ID, doc)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, object{t.one: t.show(r.Identity, doc)})
}

func (t *table[T]) handleDelete(r *fabric.Request) error {
	err := t.n.fab.Atomic(func() error {
		doc, err := t.own(r.Identity, r.PathValue("id"), "delete")
		if err != nil {
			return err
		}
		if err := t.remove(r.Identity, doc); err != nil {
			return err
		}
		if !t.docs.Delete(t.std(&doc).ID) {
			return fmt.Errorf("deleting %s %s: it went away meanwhile", t.one, t.std(&doc).ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Empty(http.StatusNoContent)
}
