package policy

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// template is the part of a check behind the colon: text with %(name)s in it, which
// stands for an attribute of the target.
type template struct {
	parts []part
	// fixed says that there is no %(name)s.
	fixed bool
}

// part is a piece of text, or the name of an attribute.
type part struct{ text, name string }

// parseTemplate reads a template. Of Python's conversions it takes %(name)s and %%.
func parseTemplate(s string) (template, error) {
	t := template{fixed: true}
	var text strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, "%")
		text.WriteString(before)
		if !found {
			break
		}
		if rest, ok := strings.CutPrefix(after, "%"); ok {
			text.WriteByte('%')
			s = rest
			continue
		}
		name, rest, ok := strings.Cut(strings.TrimPrefix(after, "("), ")s")
		if !strings.HasPrefix(after, "(") || !ok || name == "" || strings.ContainsAny(name, "()%") {
			return t, errors.New("a % must be of the form %(name)s, or be written %%")
		}
		if text.Len() > 0 {
			t.parts = append(t.parts, part{text: text.String()})
			text.Reset()
		}
		t.parts = append(t.parts, part{name: name})
		t.fixed = false
		s = rest
	}
	if text.Len() > 0 || len(t.parts) == 0 {
		t.parts = append(t.parts, part{text: text.String()})
	}
	for _, p := range t.parts {
		if strings.ContainsAny(p.text, "()") {
			return t, errors.New("a parenthesis stands inside a check; put a space before ( and after )")
		}
	}
	return t, nil
}

// text fills the template in. It is false where the target lacks an attribute.
func (t template) text(target attributes) (string, bool) {
	if len(t.parts) == 1 {
		return t.parts[0].fill(target)
	}
	var out strings.Builder
	for _, p := range t.parts {
		s, ok := p.fill(target)
		if !ok {
			return "", false
		}
		out.WriteString(s)
	}
	return out.String(), true
}

func (p part) fill(target attributes) (string, bool) {
	if p.name == "" {
		return p.text, true
	}
	if t, ok := target.(*Target); ok {
		return t.word(p.name)
	}
	v, ok := target.attribute(p.name)
	if !ok {
		return "", false
	}
	return pythonText(v)
}

// names gives the attributes of the target that the template asks for.
func (t template) names() []string {
	var out []string
	for _, p := range t.parts {
		if p.name != "" {
			out = append(out, p.name)
		}
	}
	return out
}

// truth writes a truth as Python does.
func truth(v bool) string {
	if v {
		return "True"
	}
	return "False"
}

// pythonText writes a value as Python's str does, as rules are written for it. It is
// false for a list and a map, which equal no text.
func pythonText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return truth(v), true
	case nil:
		return "None", true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}
