package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	someone = bag{
		"roles": []any{"Member", "reader"}, "user_id": "u1", "project_id": "p1", "is_admin": false, "age": 7,
		"user":    map[string]any{"domain": map[string]any{"id": "d1"}, "groups": []any{map[string]any{"name": "g1"}, map[string]any{"name": "g2"}}},
		"nothing": nil,
	}
	something = bag{
		"project_id": "p1", "user_id": "u2", "role.name": "member", "enabled": true, "target.user.domain.id": "d1",
		"wanted": "READER", "empty": "", "group": "g2", "age": 7, "none": nil,
	}
)

func TestRulesDecideAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule string
		want bool
	}{
		{"", true},
		{"@", true},
		{"!", false},
		{"(@)", true},
		{"role:member", true},
		{"role:MEMBER", true},
		{"ROLE:member", false}, // kinds are not roles in other letters
		{"role:mem", false},
		{"role:%(role.name)s", true},
		{"role:%(wanted)s", true},
		{"role:%(missing)s", false},
		{"project_id:%(project_id)s", true},
		{"user_id:%(user_id)s", false},
		{"user_id:u1", true},
		{"user_id:%(missing)s", false},
		{"missing:%(user_id)s", false},
		{"is_admin:True", false},
		{"is_admin:False", true},
		{"is_admin:false", false},
		{"age:7", true},
		{"age:%(age)s", true},
		{"nothing:None", true},
		{"user.domain.id:%(target.user.domain.id)s", true},
		{"user.domain.name:d1", false},
		{"user.groups.name:%(group)s", true},
		{"user.groups.name:g3", false},
		{"roles:reader", true},
		{"'Member':%(role.name)s", false},
		{"'member':%(role.name)s", true},
		{`"member":%(role.name)s`, true},
		{"True:%(enabled)s", true},
		{"False:%(enabled)s", false},
		{"None:%(none)s", true},
		{"7:%(age)s", true},
		{"'':%(empty)s", true},
		{"user_id:u%(age)s", false},
		{"'x7y':x%(age)sy", true},
		{"'100%':100%%", true},
		{"not role:member", false},
		{"not Not role:member", true},
		{"NOT role:x", true},
		{"role:x Or role:member", true},
		{"role:member AND role:x", false},
		{"role:member or role:x and role:y", true},
		{"(role:member or role:x) and role:y", false},
		{"role:x and role:y or role:member", true},
		{"not role:x and role:member", true},
		{"not (role:x and role:member)", true},
		{"((role:member))", true},
		{"\trole:x\n  or role:member ", true},
		{"rule:nowhere", false},
		{"not rule:nowhere", true},
		// What Python's reader ends with an error is a no as a whole.
		{"user_id.name:x", false},
		{"not user_id.name:x", false},
		{"user_id.name:x or @", false},
		{"@ or user_id.name:x", true},
	}
	for _, tt := range tests {
		c, err := parseRule(tt.rule)
		if err != nil {
			t.Errorf("%q: %v", tt.rule, err)
			continue
		}
		if got := ask(c, someone, something); got != tt.want {
			t.Errorf("%q: %t, want %t", tt.rule, got, tt.want)
		}
	}
}

func TestListsAreAlternativesOfConjunctions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list []any
		want bool
	}{
		{nil, true},
		{[]any{[]any{}}, false},
		{[]any{"role:member"}, true},
		{[]any{"role:x", "role:member"}, true},
		{[]any{[]any{"role:x", "role:member"}}, false},
		{[]any{[]any{"role:x", "role:member"}, []any{"role:reader", "user_id:u1"}}, true},
		{[]any{"!", []any{"@"}}, true},
	}
	for _, tt := range tests {
		c, err := parseList(tt.list)
		if err != nil {
			t.Errorf("%v: %v", tt.list, err)
			continue
		}
		if got := ask(c, someone, something); got != tt.want {
			t.Errorf("%v: %t, want %t", tt.list, got, tt.want)
		}
	}
	for _, bad := range [][]any{{""}, {7}, {[]any{""}}, {[]any{[]any{"@"}}}, {"role"}, {"role:a and role:b", "x y:b"}} {
		if _, err := parseList(bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestMistakesAreToldWithTheirPlace(t *testing.T) {
	t.Parallel()
	tests := []struct{ rule, want string }{
		{"  ", "nothing but space"},
		{"role", `at character 1: "role" is no check`},
		{"role: admin", `at character 1: behind the colon of "role:" is nothing`},
		{"role:a role:b", `at character 8: there is no operator before "role:b"`},
		{"role:a and", "at its end: a check is missing"},
		{"and role:a", `at character 1: a check is missing before "and"`},
		{"role:a or and role:b", `at character 11: a check is missing before "and"`},
		{"(role:a", "at its end: a ) is missing"},
		{"role:a)", "at character 7: this ) has no ("},
		{"()", `at character 2: a check is missing before ")"`},
		{"not", "at its end: a check is missing"},
		{"'x':'x'", "is a text and no check"},
		{"'x", `"'x" is no check`},
		{"'x:y'z:1", "does not end before the colon"},
		{`'a\x41':%(a)s`, "neither a backslash nor quotes"},
		{"http://server/check", "http: and https: are not supported"},
		{"https:%(url)s", "http: and https: are not supported"},
		{"role:a or http:x", "at character 11: checks of the kind http:"},
		{"not(role:a)", "is no name of an attribute"},
		{"role:a)or(role:b", "a parenthesis stands inside a check"},
		{"user_id:%(x)d", "must be of the form %(name)s"},
		{"user_id:100%", "must be of the form %(name)s"},
		{"user_id:%s", "must be of the form %(name)s"},
		{"user_id:%()s", "must be of the form %(name)s"},
		{"07:%(x)s", "is no name of an attribute"},
		{"1.5:%(x)s", "is no name of an attribute"},
		{"a..b:x", "is no name of an attribute"},
		{"user.class:x", `"class" is a word of Python`},
		{":x", "is no name of an attribute"},
		{"rule:a%b", "is no name of a rule"},
		{"role:a\x00", "control character, at character 7"},
		{"role:a\xff", "not valid UTF-8"},
		{strings.Repeat("(", MaxDepth+2) + "@" + strings.Repeat(")", MaxDepth+2), "nested deeper than 64"},
		{strings.Repeat("not ", MaxDepth+2) + "@", "nested deeper than 64"},
		{strings.Repeat("@ or ", MaxChecks) + "@", "more than 1000 checks"},
		{strings.Repeat("@ or ", MaxRule) + "@", "longer than 16384 bytes"},
	}
	for _, tt := range tests {
		c, err := parseRule(tt.rule)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q gives %T and the error %v, want one with %q", tt.rule, c, err, tt.want)
		}
	}
}

// tree draws a rule with its answer, which it computes by itself.
func tree(t *rapid.T, depth int) (text string, answer bool) {
	leaves := []struct {
		text   string
		answer bool
	}{
		{"@", true}, {"!", false}, {"role:member", true}, {"role:x", false}, {"project_id:%(project_id)s", true},
		{"user_id:%(user_id)s", false}, {"True:%(enabled)s", true}, {"user.groups.name:g1", true}, {"rule:nowhere", false},
	}
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 3).Draw(t, "kind")
	}
	if kind == 0 {
		leaf := rapid.SampledFrom(leaves).Draw(t, "leaf")
		return leaf.text, leaf.answer
	}
	a, x := tree(t, depth-1)
	if kind == 1 {
		return "not (" + a + ")", !x
	}
	b, y := tree(t, depth-1)
	spaces := rapid.SampledFrom([]string{" ", "  ", "\t", "\n"}).Draw(t, "spaces")
	if kind == 2 {
		return "(" + a + ")" + spaces + "and (" + b + ")", x && y
	}
	return "( " + a + " ) OR" + spaces + "(" + b + ")", x || y
}

func TestAnyTreeOfChecksIsDecidedAsLogicHasIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, want := tree(t, 5)
		c, err := parseRule(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := ask(c, someone, something); got != want {
			t.Fatalf("%q: %t, want %t", text, got, want)
		}
	})
}

func TestWithoutParenthesesNotBindsClosestThenAndThenOr(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var text []string
		answer := false
		for range rapid.IntRange(1, 4).Draw(t, "alternatives") {
			var together []string
			all := true
			for range rapid.IntRange(1, 4).Draw(t, "checks") {
				yes, negated := rapid.Bool().Draw(t, "yes"), rapid.Bool().Draw(t, "not")
				leaf := map[bool]string{true: "role:member", false: "role:x"}[yes]
				if negated {
					leaf = "not " + leaf
				}
				together = append(together, leaf)
				all = all && yes != negated
			}
			text = append(text, strings.Join(together, " and "))
			answer = answer || all
		}
		rule := strings.Join(text, " or ")
		c, err := parseRule(rule)
		if err != nil || ask(c, someone, something) != answer {
			t.Fatalf("%q: want %t (%v)", rule, answer, err)
		}
	})
}

// FuzzRule looks for rules at which the reader or a decision fails, and for those that
// say two things: the same rule in parentheses, and twice denied, says the same.
func FuzzRule(f *testing.F) {
	for _, r := range Rules() {
		f.Add(r.Check)
	}
	for _, s := range []string{
		"", "@", "!", "not role:a", "'a':%(b)s", "((role:a))", "rule:x or (role:%(y)s and not True:%(z)s)", "a.b.c:%%", "and", "http:x", "(", "role:é İ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseRule(text)
		if err != nil || text == "" {
			return
		}
		got := ask(c, someone, something)
		again, err := parseRule("( " + text + " )")
		if err != nil {
			if len(text) > MaxRule-10 || strings.Contains(err.Error(), "nested deeper") {
				return
			}
			t.Fatalf("%q in parentheses: %v", text, err)
		}
		if ask(again, someone, something) != got {
			t.Fatalf("%q in parentheses says another thing", text)
		}
		q := question{credentials: someone, target: something}
		if plain := c.eval(&q); !q.fault && (not{c}).eval(&question{credentials: someone, target: something}) == plain {
			t.Fatalf("not %q is not the other answer", text)
		}
	})
}

// FuzzFile looks for policy files at which the reader fails.
func FuzzFile(f *testing.F) {
	for _, s := range []string{
		"plan:get: role:a\n", `{"plan:get": [["role:a", "role:b"], "rule:c"]}`, "a: !\n", "- x\n", "a: &x [b]\nc: *x\n", "---\na: \"\"\n---\nb: ''\n", Sample(),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parseFile(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.check == nil || e.name == "" || e.line < 1 {
				t.Fatalf("%q gives the rule %+v", text, e)
			}
		}
		if s, err := compile(entries, false); err == nil {
			review(s, entries)
		}
	})
}
