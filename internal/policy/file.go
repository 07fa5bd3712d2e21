package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

// MaxFile is the most bytes of a policy file.
const MaxFile = 1 << 20

// lineError is a fault at a line of the policy file.
type lineError struct {
	line int
	text string
}

// Error implements error.
func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// fileRule is a rule as the policy file has it: a text, or a list of texts and lists.
type fileRule struct {
	name string
	line int
	// value is a string or a []any.
	value any
}

// parseFile reads a policy file, YAML or JSON. Every fault is told, each with its line.
func parseFile(text []byte) ([]*entry, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", MaxFile)
	}
	var rules []fileRule
	var err error
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(text) {
		rules, err = readJSON(text)
	} else {
		rules, err = readYAML(text)
	}
	if err != nil {
		return nil, err
	}
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("it has more than %d rules", MaxRules)
	}
	var faults []error
	out := make([]*entry, 0, len(rules))
	lines := map[string]int{}
	for _, r := range rules {
		e := &entry{name: r.name, file: true, line: r.line}
		if first, twice := lines[r.name]; twice {
			faults = append(faults, e.fault("it stands in line %d already", first))
			continue
		}
		lines[r.name] = r.line
		if err := e.parse(r.value); err != nil {
			faults = append(faults, e.fault("%s", err))
		}
		out = append(out, e)
	}
	return out, errors.Join(faults...)
}

func (e *entry) parse(value any) (err error) {
	if e.name == "" || strings.ContainsFunc(e.name, func(r rune) bool { return r <= ' ' || strings.ContainsRune("()%", r) }) {
		return errors.New("this is no name of a rule")
	}
	switch v := value.(type) {
	case string:
		e.text = v
		e.check, err = parseRule(v)
	case []any:
		e.text = listText(v)
		e.check, err = parseList(v)
	case nil:
		return errors.New(`there is no rule; write "" or "@" to allow everybody, "!" to allow nobody`)
	default:
		return errors.New("the rule must be a text in quotes, or a list")
	}
	return err
}

// listText shows a rule in the old form in the new one.
func listText(list []any) string {
	var alternatives []string
	for _, member := range list {
		if inner, ok := member.([]any); ok {
			var texts []string
			for _, t := range inner {
				texts = append(texts, fmt.Sprint(t))
			}
			member = strings.Join(texts, " and ")
		}
		alternatives = append(alternatives, fmt.Sprint(member))
	}
	return strings.Join(alternatives, " or ")
}

// Bounds of YAML, whose reader takes long for what lies deep.
const (
	maxLine    = 4 * MaxRule
	maxNesting = 1000
)

// checkShape refuses a text that is no policy file and would take long to read.
func checkShape(text []byte) error {
	line, depth := 0, 0
	for part := range bytes.Lines(text) {
		line++
		if len(part) > maxLine {
			return &lineError{line, fmt.Sprintf("it is longer than %d bytes", maxLine)}
		}
		opening := bytes.Count(part, []byte("[")) + bytes.Count(part, []byte("{"))
		if depth += opening; depth > maxNesting {
			return &lineError{line, fmt.Sprintf("more than %d brackets are open", maxNesting)}
		}
		depth -= bytes.Count(part, []byte("]")) + bytes.Count(part, []byte("}"))
		depth = max(depth, 0)
	}
	return nil
}

func readYAML(text []byte) ([]fileRule, error) {
	if err := checkShape(text); err != nil {
		return nil, err
	}
	file, err := yamlparser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlFault(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType {
			continue
		}
		if body != nil {
			return nil, &lineError{lineOf(doc.Body), "a second document begins; a policy file has one"}
		}
		body = doc.Body
	}
	switch b := body.(type) {
	case nil:
		return nil, nil
	case *ast.MappingNode:
		return yamlRules(b.Values)
	case *ast.MappingValueNode:
		return yamlRules([]*ast.MappingValueNode{b})
	}
	return nil, &lineError{lineOf(body), "a policy file is a mapping of names to rules"}
}

// yamlFault says in one line what the YAML reader does not understand.
func yamlFault(err error) error {
	if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil && at.GetToken().Position != nil {
		return &lineError{at.GetToken().Position.Line, "it is not YAML: " + at.GetMessage()}
	}
	return fmt.Errorf("it is not YAML: %w", err)
}

func yamlRules(values []*ast.MappingValueNode) ([]fileRule, error) {
	out := make([]fileRule, 0, len(values))
	var faults []error
	for _, v := range values {
		r := fileRule{line: lineOf(v.Key)}
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			faults = append(faults, &lineError{r.line, "the name of a rule must be a plain text"})
			continue
		}
		r.name = key.Value
		var err error
		if r.value, err = yamlValue(v.Value, 0); err != nil {
			faults = append(faults, &lineError{r.line, fmt.Sprintf("rule %s: %s", r.name, err)})
			continue
		}
		out = append(out, r)
	}
	return out, errors.Join(faults...)
}

// yamlValue takes texts and lists; what YAML can do beyond that has no place in a
// policy, and may mean another thing to another reader: ! without quotes is one.
func yamlValue(n ast.Node, depth int) (any, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		if strings.TrimSpace(n.Value.Value) == "" {
			return nil, nil
		}
		return n.Value.Value, nil
	case *ast.NullNode:
		return nil, nil
	case *ast.SequenceNode:
		if depth > 1 {
			return nil, errors.New("the lists lie too deep in each other")
		}
		out := make([]any, 0, len(n.Values))
		for _, inner := range n.Values {
			v, err := yamlValue(inner, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case *ast.TagNode:
		return nil, errors.New(`a value that begins with ! must stand in quotes: "!"`)
	}
	return nil, fmt.Errorf("the rule must be a text in quotes, or a list, and is %s", strings.ToLower(n.Type().String()))
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

// readJSON reads an object of names and rules. The text is valid JSON.
func readJSON(text []byte) ([]fileRule, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var out []fileRule
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		r := fileRule{line: 1 + bytes.Count(text[:d.InputOffset()], []byte("\n"))}
		r.name, _ = t.(string)
		if err := d.Decode(&r.value); err != nil {
			return nil, &lineError{r.line, err.Error()}
		}
		out = append(out, r)
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return out, nil
}
