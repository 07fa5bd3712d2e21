package bank_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor/bank"
)

func keys() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.StringMatching(`[-a-c.@_0-2Z]{1,3}`).Filter(func(s string) bool { return s != "." && s != ".." }), 1, 3).Draw(t, "parts")
		return strings.Join(parts, "/")
	})
}

func allNames() []bank.ObjectNames {
	return []bank.ObjectNames{{}, {Prefix: "site/one/"}, {Layout09: true}, {Prefix: "p/", Layout09: true}}
}

func TestNamesLeadBackToTheirKeysInTheirOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := keys().Draw(r, "a"), keys().Draw(r, "b")
		for _, n := range allNames() {
			if key, ok := n.Key(n.Name(a)); !ok || key != a {
				r.Fatalf("%q is named %q, which is of %q", a, n.Name(a), key)
			}
			if (a < b) != (n.Name(a) < n.Name(b)) {
				r.Fatalf("%q and %q are named %q and %q", a, b, n.Name(a), n.Name(b))
			}
			if strings.HasPrefix(n.Name(b), n.Name(a)+"/") && !n.Layout09 {
				r.Fatalf("%q is a folder of %q", n.Name(a), n.Name(b))
			}
		}
	})
}

func TestAfterPartsTheNamesAtAnyMarker(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		key, marker := keys().Draw(r, "key"), keys().Draw(r, "marker")
		at := rapid.IntRange(0, len(marker)).Draw(r, "at")
		marker = marker[:at] + rapid.SampledFrom([]string{"", "/", " ", "!", "=", "~", "\x7f", "\xff", "ä", "\x00", "#x"}).Draw(r, "odd") + marker[at:]
		for _, n := range allNames() {
			after := n.After(marker)
			if (key > marker) != (n.Name(key) > after) {
				r.Fatalf("key %q, marker %q: name %q, after %q", key, marker, n.Name(key), after)
			}
			for i := range len(after) {
				if after[i] < ' ' || after[i] > '~' {
					r.Fatalf("%q is not printable", after)
				}
			}
		}
	})
}

func TestForeignObjectsHaveNoKey(t *testing.T) {
	for _, name := range []string{"", "a", "a/b", "=probe/x/a!", "a//b!", "other/a!", "p/a b!", "p/../a!", "p/!", "p/a"} {
		if key, ok := (bank.ObjectNames{Prefix: "p/"}).Key(name); ok {
			t.Errorf("%q is of the key %q", name, key)
		}
	}
}

func TestCanBeginKnowsWhatNoKeyBeginsWith(t *testing.T) {
	part := strings.Repeat("x", bank.MaxPart)
	for prefix, want := range map[string]bool{
		"": true, "a": true, "a/": true, "a/b": true, ".": true, "..": true, "a/.": true, part: true, part + "/": true,
		"/": false, "a//": false, "../": false, "./a": false, "a/../b": false, "a b": false, "ä": false, "a=": false,
		part + "x": false, strings.Repeat("a/", bank.MaxKey/2) + "a": false, strings.Repeat(part+"/", 3) + part[:bank.MaxKey-753]: true,
	} {
		if got := bank.CanBegin(prefix); got != want {
			t.Errorf("%q can begin a key: %v, want %v", prefix, got, want)
		}
	}
}
