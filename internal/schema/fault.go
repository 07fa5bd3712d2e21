package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Bounds of what a tenant reads, in bytes.
const (
	maxSentence = 1000
	maxValue    = 120
	maxName     = 100
	maxWhy      = 300
	maxFaults   = 3
)

// secretMember matches members whose values are not repeated.
var secretMember = regexp.MustCompile(`(?i)pass|pwd|secret|token|credential|auth|private|key$`)

// identifier matches members that need no quotes in a path.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_\-:]*(#[A-Za-z0-9_.\-]+)?$`)

// fault is one thing that is wrong.
type fault struct {
	path []string
	why  string
	// missing says that the member at path is not there.
	missing bool
}

// sentence turns what the validator found into the API's words.
func sentence(name string, v any, err *jsonschema.ValidationError) string {
	var faults []fault
	collect(err, &faults)
	// The validator walks maps, so its order changes from run to run.
	slices.SortFunc(faults, func(a, b fault) int {
		if c := slices.Compare(a.path, b.path); c != 0 {
			return c
		}
		return strings.Compare(a.why, b.why)
	})
	faults = slices.CompactFunc(faults, func(a, b fault) bool {
		return slices.Equal(a.path, b.path)
	})
	var out []string
	for i, f := range faults {
		if i == maxFaults {
			out = append(out, fmt.Sprintf("(%d more.)", len(faults)-i))
			break
		}
		out = append(out, f.sentence(name, v))
	}
	return cut(strings.Join(out, " "), maxSentence)
}

// collect walks down to the leaves, which say what is really wrong. Of the
// alternatives of an anyOf or oneOf, it takes those that came furthest.
func collect(err *jsonschema.ValidationError, out *[]fault) {
	causes := err.Causes
	switch err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		causes = furthest(causes)
	}
	if len(causes) > 0 {
		for _, c := range causes {
			collect(c, out)
		}
		return
	}
	*out = append(*out, leaf(err)...)
}

// furthest gives those causes whose fault lies deepest in the document.
func furthest(causes []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	best, most := []*jsonschema.ValidationError(nil), -1
	for _, c := range causes {
		switch d := depth(c); {
		case d > most:
			best, most = []*jsonschema.ValidationError{c}, d
		case d == most:
			best = append(best, c)
		}
	}
	return best
}

func depth(err *jsonschema.ValidationError) int {
	d := len(err.InstanceLocation)
	for _, c := range err.Causes {
		d = max(d, depth(c))
	}
	return d
}

func leaf(err *jsonschema.ValidationError) []fault {
	at := err.InstanceLocation
	member := func(name string) []string { return append(slices.Clone(at), name) }
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		var out []fault
		for _, m := range k.Missing {
			out = append(out, fault{path: member(m), missing: true, why: "It is required."})
		}
		return out
	case *kind.AdditionalProperties:
		var out []fault
		for _, p := range k.Properties {
			out = append(out, fault{path: member(p), why: "This member is not known here."})
		}
		return out
	default:
		return []fault{{path: at, why: why(err.ErrorKind)}}
	}
}

// why says in a sentence what the value must be.
func why(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "It must be of type " + strings.Join(k.Want, " or ") + ", not " + k.Got + "."
	case *kind.Enum:
		return "It must be one of " + cut(compact(k.Want), maxWhy) + "."
	case *kind.Const:
		return "It must be " + cut(compact(k.Want), maxWhy) + "."
	case *kind.Format:
		return "It is not a valid " + k.Want + "."
	case *kind.Pattern:
		return "It does not match the pattern " + cut(k.Want, maxWhy) + "."
	case *kind.MinLength:
		return fmt.Sprintf("It must have at least %d characters.", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("It must have at most %d characters, and has %d.", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("It must have at least %d items.", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("It must have at most %d items, and has %d.", k.Want, k.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("It must have at least %d members.", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("It must have at most %d members, and has %d.", k.Want, k.Got)
	case *kind.UniqueItems:
		return fmt.Sprintf("Its items %d and %d are equal.", k.Duplicates[0], k.Duplicates[1])
	case *kind.Minimum:
		return "It must be at least " + number(k.Want) + "."
	case *kind.Maximum:
		return "It must be at most " + number(k.Want) + "."
	case *kind.ExclusiveMinimum:
		return "It must be more than " + number(k.Want) + "."
	case *kind.ExclusiveMaximum:
		return "It must be less than " + number(k.Want) + "."
	case *kind.MultipleOf:
		return "It must be a multiple of " + number(k.Want) + "."
	default:
		return "It is not what the schema allows (" + strings.Join(k.KeywordPath(), ".") + ")."
	}
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func (f fault) sentence(name string, doc any) string {
	where := "Invalid input for field/attribute " + pathName(name, doc, f.path) + "."
	if f.missing {
		return where + " " + f.why
	}
	return where + " Value: " + f.value(doc) + ". " + f.why
}

// value shows the value at the fault's place: a scalar as JSON, cut; something
// larger by its kind only; nothing of what may be a secret.
func (f fault) value(doc any) string {
	for i, p := range f.path {
		last := i == len(f.path)-1
		if secretMember.MatchString(p) && (!last || !isContainer(lookup(doc, f.path))) {
			return "***"
		}
	}
	switch v := lookup(doc, f.path).(type) {
	case map[string]any:
		return fmt.Sprintf("an object of %d members", len(v))
	case []any:
		return fmt.Sprintf("a list of %d items", len(v))
	default:
		return cut(compact(v), maxValue)
	}
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// lookup gives the value at a path, or nil.
func lookup(doc any, path []string) any {
	for _, p := range path {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}

// pathName writes a path as plan.resources[0].type. The document itself, where
// it has no name of its own, is called body.
func pathName(name string, doc any, path []string) string {
	var b strings.Builder
	b.WriteString(name)
	for _, p := range path {
		if list, ok := doc.([]any); ok {
			b.WriteString("[" + p + "]")
			doc = lookup(list, []string{p})
			continue
		}
		doc = lookup(doc, []string{p})
		if !identifier.MatchString(p) {
			p = strconv.Quote(p)
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(cut(p, maxName))
	}
	if b.Len() == 0 {
		return "body"
	}
	return cut(b.String(), maxName+len(name))
}

func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "a value"
	}
	return string(text)
}

// cut shortens a text to at most limit bytes, at the border of a character.
func cut(s string, limit int) string {
	const dots = "…"
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= limit {
		return s
	}
	end := limit - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}
