package contract

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// answer is what a service said.
type answer struct {
	what   string
	status int
	header http.Header
	body   []byte
	parsed any
}

// want ends the test unless the status is one of these.
func (a *answer) want(t *testing.T, statuses ...int) *answer {
	t.Helper()
	if !slices.Contains(statuses, a.status) {
		t.Fatalf("%s: got %d %.600s, want %v", a.what, a.status, a.body, statuses)
	}
	return a
}

// refused checks an error in the shape of Nova's and Cinder's:
// {"badRequest": {"code": 400, "message": "…"}}.
func (a *answer) refused(t *testing.T, status int, word string) *answer {
	t.Helper()
	a.want(t, status)
	if code, _ := a.at(word, "code").(float64); int(code) != status {
		t.Errorf("%s: the error %.300s has no %s.code %d", a.what, a.body, word, status)
	}
	if a.text(word, "message") == "" {
		t.Errorf("%s: the error %.300s has no %s.message", a.what, a.body, word)
	}
	return a
}

// refusedByNeutron checks an error in the shape of Neutron's.
func (a *answer) refusedByNeutron(t *testing.T, status int, kind string) *answer {
	t.Helper()
	a.want(t, status)
	if got := a.text("NeutronError", "type"); got != kind {
		t.Errorf("%s: the error %.300s has the type %q, want %q", a.what, a.body, got, kind)
	}
	if a.text("NeutronError", "message") == "" || a.at("NeutronError", "detail") == nil {
		t.Errorf("%s: the error %.300s lacks message or detail", a.what, a.body)
	}
	return a
}

// refusedByKeystone checks an error in the shape of Keystone's.
func (a *answer) refusedByKeystone(t *testing.T, status int) *answer {
	t.Helper()
	a.want(t, status)
	code, _ := a.at("error", "code").(float64)
	if int(code) != status || a.text("error", "message") == "" || a.text("error", "title") != http.StatusText(status) {
		t.Errorf("%s: the error %.300s has not code, message and title of Keystone's", a.what, a.body)
	}
	return a
}

// refusedByGlance checks an error in the shape of Glance's, which is text.
func (a *answer) refusedByGlance(t *testing.T, status int) *answer {
	t.Helper()
	a.want(t, status)
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/") {
		t.Errorf("%s: the error's content type is %q, want text", a.what, kind)
	}
	return a
}

// at follows member names (string) and places in lists (int) into the JSON;
// nil where there is nothing.
func (a *answer) at(path ...any) any { return follow(a.parsed, path...) }

// text is at for a string; "" where there is none.
func (a *answer) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

// list is at for a list of objects.
func (a *answer) list(path ...any) []object {
	items, _ := a.at(path...).([]any)
	var list []object
	for _, item := range items {
		o, _ := item.(object)
		list = append(list, o)
	}
	return list
}

// equals checks one value in the JSON; numbers are float64.
func (a *answer) equals(t *testing.T, want any, path ...any) {
	t.Helper()
	if got := a.at(path...); got != want {
		t.Errorf("%s: %v is %#v, want %#v", a.what, path, got, want)
	}
}

// has checks that an object in the JSON has these members, whatever they are.
func (a *answer) has(t *testing.T, where []any, members ...string) {
	t.Helper()
	o, ok := a.at(where...).(object)
	if !ok {
		t.Errorf("%s: no object at %v in %.300s", a.what, where, a.body)
		return
	}
	for _, m := range members {
		if _, ok := o[m]; !ok {
			t.Errorf("%s: the object at %v has no member %q", a.what, where, m)
		}
	}
}

// dated checks that a value is a time in the layout.
func (a *answer) dated(t *testing.T, layout string, path ...any) {
	t.Helper()
	if _, err := time.Parse(layout, a.text(path...)); err != nil {
		t.Errorf("%s: %v is %#v, want a time like %q", a.what, path, a.at(path...), layout)
	}
}

func follow(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			o, _ := v.(object)
			v = o[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

// ids gives the member id of each object.
func ids(list []object) []string {
	var all []string
	for _, o := range list {
		id, _ := o["id"].(string)
		all = append(all, id)
	}
	return all
}
