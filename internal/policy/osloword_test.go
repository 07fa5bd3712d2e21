//go:build compat

package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// writer makes rules for the comparison.
type writer struct{ *rand.Rand }

func (w writer) one(words ...string) string { return words[w.IntN(len(words))] }

func (w writer) match() string {
	switch w.IntN(10) {
	case 0:
		return w.one("x", "u1", "p1", "True", "None", "7", "a", "g1", "Default", "100%%", "%%", "d1", "été", "compute:admin")
	case 1:
		return w.one("u%(age)s", "%(project_id)s%(user_id)s", "x%(enabled)s", "%%%(tag)s")
	default:
		return "%(" + w.one("project_id", "project_id", "user_id", "user_id", "target.project_id", "role_name", "enabled", "age", "tag", "missing", "user.domain.id") + ")s"
	}
}

func (w writer) check() string {
	switch w.IntN(12) {
	case 0:
		return w.one("@", "!")
	case 1, 2, 3:
		return "role:" + w.one("admin", "ADMIN", "member", "reader", "Reader", "cloud_admin", "service", "x", "%(role_name)s", "%(role_name)s", "%(missing)s", "équipe", "admi̇n", "manager")
	case 4, 5:
		return "rule:" + w.one("admin_required", "owner", "both", "default", "nowhere")
	case 6, 7:
		return w.one("'p1'", "'u2'", `"p6"`, "True", "False", "None", "7", "0", "-1", "''", "'u7'", "'100%'", "'x y'", "'%'") + ":" + w.match()
	case 8:
		return w.one("user.domain.id", "user.domain.name", "user.groups.name", "user.tags", "user.id", "user.groups", "tags", "groups.name", "user_id.x", "age.x.y", "missing.x", "roles.x", "tags.x") + ":" + w.match()
	default:
		return w.one("project_id", "project_id", "user_id", "user_id", "is_admin", "is_admin_project", "age", "roles", "missing", "user") + ":" + w.match()
	}
}

func (w writer) operator(word string) string {
	if w.IntN(6) == 0 {
		word = w.one(strings.ToUpper(word), strings.ToUpper(word[:1])+word[1:])
	}
	return w.one(" ", " ", " ", "  ", "\n", "\t") + word + w.one(" ", " ", "\u00a0", "\r\n")
}

// sound writes a rule by the grammar.
func (w writer) sound(depth int) string {
	if depth == 0 || w.IntN(4) == 0 {
		check := w.check()
		for strings.Contains(check, " ") { // texts with spaces are for lists
			check = w.check()
		}
		return check
	}
	switch w.IntN(4) {
	case 0:
		return strings.TrimLeft(w.operator("not"), " \n\t") + w.sound(depth-1)
	case 1:
		return w.one("(", "( ", "(\n") + w.sound(depth-1) + w.one(")", " )")
	}
	var out strings.Builder
	out.WriteString(w.sound(depth - 1))
	for range 1 + w.IntN(3) {
		out.WriteString(w.operator(w.one("and", "or")) + w.sound(depth-1))
	}
	return out.String()
}

// list writes a rule in the old form.
func (w writer) list() any {
	out := []any{}
	for range w.IntN(4) {
		if w.IntN(3) == 0 {
			out = append(out, w.check())
			continue
		}
		inner := []any{}
		for range w.IntN(4) {
			inner = append(inner, w.check())
		}
		out = append(out, inner)
	}
	return out
}

// spoiled changes a rule in a few places, so that it may no longer be one.
func (w writer) spoiled(rule string) string {
	text := []rune(rule)
	for range 1 + w.IntN(3) {
		at := w.IntN(len(text) + 1)
		switch piece := []rune(w.one("(", ")", " ", ":", "%", "'", `"`, "@", "!", "and", " or ", "not ", "\\", ".", "s", "%(", ")s", "role:", "7", "-", "\x01")); w.IntN(3) {
		case 0:
			text = slices.Insert(text, at, piece...)
		case 1:
			if at < len(text) {
				text = slices.Delete(text, at, min(at+1+w.IntN(4), len(text)))
			}
		default:
			if at < len(text) {
				text[at] = piece[0]
			}
		}
	}
	return string(text)
}

// osloCases writes n rules.
func osloCases(seed uint64, n int) []osloCase {
	w := writer{rand.New(rand.NewPCG(seed, 1))}
	out := make([]osloCase, 0, n)
	for len(out) < n {
		switch w.IntN(10) {
		case 0:
			out = append(out, osloCase{Rule: w.list(), Sound: true})
		case 1, 2, 3:
			out = append(out, osloCase{Rule: w.spoiled(w.sound(2))})
		default:
			out = append(out, osloCase{Rule: w.sound(w.IntN(4)), Sound: true})
		}
	}
	return out
}
