package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// dottedName is what the left side of a check may be, if it is no literal.
	dottedName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	// wholeNumber is written as Python writes it, so that it equals itself.
	wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,62})$`)
	// pythonKeywords can't be names in Python, whose reader fails at them.
	pythonKeywords = strings.Fields(`False None True and as assert async await break class continue def del elif else
		except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield`)
)

// parseCheck reads one check: @, !, or kind:match.
func parseCheck(text string) (check, error) {
	switch text {
	case "@":
		return constant(true), nil
	case "!":
		return constant(false), nil
	}
	kind, match, ok := strings.Cut(text, ":")
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is no check: it has no colon", text)
	case kind == "http" || kind == "https":
		return nil, errors.New("checks of the kind http: and https: are not supported: no rule may ask another server")
	case match == "":
		return nil, fmt.Errorf("behind the colon of %q is nothing", text)
	case kind == "rule":
		if strings.ContainsAny(match, "()%") {
			return nil, fmt.Errorf("%q is no name of a rule", match)
		}
		return &reference{name: match}, nil
	}
	t, err := parseTemplate(match)
	if err != nil {
		return nil, err
	}
	if kind == "role" {
		if t.fixed {
			t.parts[0].text = lower(t.parts[0].text)
		}
		return role{t}, nil
	}
	value, isLiteral, err := parseLiteral(kind)
	switch {
	case err != nil:
		return nil, err
	case isLiteral:
		return literal{value, t}, nil
	case !dottedName.MatchString(kind):
		return nil, fmt.Errorf("%q is no name of an attribute; it must be names with dots between them, 'text', a whole number, True, False or None", kind)
	}
	path := strings.Split(kind, ".")
	for _, name := range path {
		if slices.Contains(pythonKeywords, name) {
			return nil, fmt.Errorf("%q is a word of Python, and no name of an attribute", name)
		}
	}
	return credential{path, t}, nil
}

// parseLiteral reads the left side of a check as a literal of Python, written as
// Python would show it.
func parseLiteral(kind string) (value string, ok bool, err error) {
	switch {
	case kind == "True", kind == "False", kind == "None", wholeNumber.MatchString(kind):
		return kind, true, nil
	case quoted(kind):
		value = kind[1 : len(kind)-1]
		if strings.ContainsAny(value, "\\\r\n"+kind[:1]) {
			return "", false, fmt.Errorf("the text %s must have neither a backslash nor quotes in it", kind)
		}
		return value, true, nil
	case strings.HasPrefix(kind, "'"), strings.HasPrefix(kind, `"`):
		return "", false, fmt.Errorf("the text %s does not end before the colon", kind)
	}
	return "", false, nil
}
