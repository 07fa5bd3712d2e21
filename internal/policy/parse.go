package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of one rule.
const (
	// MaxRule is the most bytes of a rule.
	MaxRule = 16 << 10
	// MaxChecks is the most checks in a rule.
	MaxChecks = 1000
	// MaxDepth is how deep parentheses and nots may lie in each other.
	MaxDepth = 64
)

// parseRule reads a rule in oslo.policy's language. The empty rule allows everybody.
// What Python's reader would log and then take for a no is an error here, as it is a
// mistake of the one who wrote it.
func parseRule(text string) (check, error) {
	switch {
	case text == "":
		return constant(true), nil
	case len(text) > MaxRule:
		return nil, fmt.Errorf("it is longer than %d bytes", MaxRule)
	}
	if err := checkCharacters(text); err != nil {
		return nil, err
	}
	p := parser{tokens: tokenize(text)}
	if len(p.tokens) == 0 {
		return nil, errors.New(`it is nothing but space; write "" or @ to allow everybody, ! to allow nobody`)
	}
	c, err := p.or(0)
	if err == nil && p.at < len(p.tokens) {
		if t := p.tokens[p.at]; t.text == ")" {
			err = p.fail("this ) has no (")
		} else {
			err = p.fail("there is no operator before %q", t.text)
		}
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parseList reads the old form of a rule: a list whose members are joined by or,
// each a check, or a list of checks that are joined by and.
func parseList(list []any) (check, error) {
	if len(list) == 0 {
		return constant(true), nil
	}
	var alternatives anyOf
	checks := 0
	for i, member := range list {
		var texts []any
		switch m := member.(type) {
		case string:
			texts = []any{m}
		case []any:
			texts = m
		default:
			return nil, fmt.Errorf("member %d of the list is neither a text nor a list of texts", i+1)
		}
		var together all
		for _, v := range texts {
			text, ok := v.(string)
			if !ok || text == "" {
				return nil, fmt.Errorf("member %d of the list holds what is not a check", i+1)
			}
			if checks++; checks > MaxChecks {
				return nil, fmt.Errorf("it has more than %d checks", MaxChecks)
			}
			if err := checkCharacters(text); err != nil {
				return nil, err
			}
			c, err := parseCheck(text)
			if err != nil {
				return nil, fmt.Errorf("member %d of the list: %w", i+1, err)
			}
			together = append(together, c)
		}
		// Python's reader passes over an empty inner list.
		if len(together) > 0 {
			alternatives = append(alternatives, together)
		}
	}
	return alternatives, nil
}

// checkCharacters refuses what no rule needs and what readers of rules differ in.
func checkCharacters(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("it is not valid UTF-8")
	}
	odd := func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }
	if i := strings.IndexFunc(text, odd); i >= 0 {
		return fmt.Errorf("it has a control character, at character %d", utf8.RuneCountInString(text[:i])+1)
	}
	return nil
}

// token is a parenthesis, an operator in lower case, or a check.
type token struct {
	text     string
	operator bool
	// at is where it begins, in characters from 1.
	at int
}

// tokenize cuts a rule at its spaces, and takes the parentheses off both ends of each
// part: those inside a check belong to %(name)s.
func tokenize(text string) []token {
	var out []token
	start := -1
	runes := []rune(text)
	flush := func(end int) {
		if start >= 0 {
			out = appendTokens(out, string(runes[start:end]), start+1)
		}
		start = -1
	}
	for i, r := range runes {
		switch {
		case unicode.IsSpace(r):
			flush(i)
		case start < 0:
			start = i
		}
	}
	flush(len(runes))
	return out
}

func appendTokens(out []token, word string, at int) []token {
	for strings.HasPrefix(word, "(") {
		out = append(out, token{"(", true, at})
		word, at = word[1:], at+1
	}
	clean := strings.TrimRight(word, ")")
	if clean != "" {
		lowered := strings.ToLower(clean)
		operator := lowered == "and" || lowered == "or" || lowered == "not"
		if operator {
			out = append(out, token{lowered, true, at})
		} else {
			out = append(out, token{clean, false, at})
		}
	}
	at += utf8.RuneCountInString(clean)
	for range len(word) - len(clean) {
		out = append(out, token{")", true, at})
		at++
	}
	return out
}

// parser goes through the tokens: not binds closest, then and, then or.
type parser struct {
	tokens []token
	at     int
	checks int
}

func (p *parser) fail(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if p.at < len(p.tokens) {
		return fmt.Errorf("at character %d: %s", p.tokens[p.at].at, text)
	}
	return fmt.Errorf("at its end: %s", text)
}

func (p *parser) is(operator string) bool {
	return p.at < len(p.tokens) && p.tokens[p.at].operator && p.tokens[p.at].text == operator
}

func (p *parser) or(depth int) (check, error) {
	c, err := p.and(depth)
	if err != nil || !p.is("or") {
		return c, err
	}
	out := anyOf{c}
	for p.is("or") {
		p.at++
		if c, err = p.and(depth); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (p *parser) and(depth int) (check, error) {
	c, err := p.unary(depth)
	if err != nil || !p.is("and") {
		return c, err
	}
	out := all{c}
	for p.is("and") {
		p.at++
		if c, err = p.unary(depth); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (p *parser) unary(depth int) (check, error) {
	switch {
	case depth > MaxDepth:
		return nil, p.fail("it is nested deeper than %d levels", MaxDepth)
	case p.at == len(p.tokens):
		return nil, p.fail("a check is missing")
	case p.is("not"):
		p.at++
		c, err := p.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		return not{c}, nil
	case p.is("("):
		p.at++
		c, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.is(")") {
			return nil, p.fail("a ) is missing")
		}
		p.at++
		return c, nil
	case p.tokens[p.at].operator:
		return nil, p.fail("a check is missing before %q", p.tokens[p.at].text)
	}
	if p.checks++; p.checks > MaxChecks {
		return nil, p.fail("it has more than %d checks", MaxChecks)
	}
	text := p.tokens[p.at].text
	if quoted(text) {
		return nil, p.fail("%s is a text and no check; behind the colon quotes are not used", text)
	}
	c, err := parseCheck(text)
	if err != nil {
		return nil, p.fail("%s", err)
	}
	p.at++
	return c, nil
}

// quoted reports whether Python's reader takes a word for a text.
func quoted(s string) bool {
	return len(s) >= 2 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'')
}
