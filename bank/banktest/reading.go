package banktest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

func missingObjectIsNotFound(t *testing.T, b bank.Bank) {
	Store(t, b, "a/b", "x")
	for _, key := range []string{"missing", "a", "a/b/c", "a/bc", "a/c", "x/y/z"} {
		_, err := b.Get(t.Context(), key, 0, -1)
		wantKind(t, err, karbor.NotFound, "get "+key)
		_, err = b.Stat(t.Context(), key)
		wantKind(t, err, karbor.NotFound, "stat "+key)
	}
}

func getGivesRanges(t *testing.T, b bank.Bank) {
	const text = "0123456789"
	Store(t, b, "key", text)
	Store(t, b, "empty", "")
	for _, test := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, text}, {0, 10, text}, {0, 11, text}, {0, 1 << 40, text}, {3, -1, "3456789"}, {3, 4, "3456"}, {9, 1, "9"},
		{9, 5, "9"}, {0, 0, ""}, {5, 0, ""}, {10, -1, ""}, {10, 1, ""}, {11, 1, ""}, {1 << 40, -1, ""}, {1 << 40, 5, ""}, {0, 1, "0"},
	} {
		if got := getRange(t, b, "key", test.offset, test.length); got != test.want {
			t.Errorf("offset %d length %d: %q, want %q", test.offset, test.length, got, test.want)
		}
		if got := getRange(t, b, "empty", test.offset, test.length); got != "" {
			t.Errorf("offset %d length %d of an empty object: %q", test.offset, test.length, got)
		}
	}
	_, err := b.Get(t.Context(), "key", -1, 1)
	wantKind(t, err, karbor.Invalid, "a negative offset")
}

func statDescribes(t *testing.T, b bank.Bank) {
	before, err := b.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	Store(t, b, "a/key", "12345")
	info, err := b.Stat(t.Context(), "a/key")
	if err != nil {
		t.Fatal(err)
	}
	if info.Key != "a/key" || info.Size != 5 || info.ModTime.Before(before.Add(-2*time.Second)) {
		t.Errorf("%+v, want a/key of 5 bytes written after %v", info, before)
	}
	listed, err := b.List(t.Context(), "a/", "", 1)
	if err != nil || len(listed) != 1 {
		t.Fatalf("list: %v, %v", listed, err)
	}
	if l := listed[0]; l.Key != info.Key || l.Size != info.Size || l.ModTime.Sub(info.ModTime).Abs() > 2*time.Second {
		t.Errorf("listed as %+v, described as %+v", l, info)
	}
}

func aKeyMayBeginAnother(t *testing.T, b bank.Bank) {
	all := []string{"a", "a-b/c", "a.b/c", "a/b", "a/b/c", "a/b/c/d", "a@b/c", "ab"}
	for _, key := range all {
		Store(t, b, key, "of "+key)
	}
	for _, key := range all {
		if got := Load(t, b, key); got != "of "+key {
			t.Errorf("%s holds %q", key, got)
		}
	}
	if diff := cmp.Diff(all, keys(t, b, "", "", 100)); diff != "" {
		t.Error(diff)
	}
	for i, key := range all {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all[i+1:], keys(t, b, "", "", 100)); diff != "" {
			t.Errorf("after the removal of %s: %s", key, diff)
		}
	}
}

// orderKeys are keys whose byte order is not that of a walk through folders.
func orderKeys() []string {
	var all []string
	for _, first := range []string{"a", "a-", "a.", "a0", "a@", "A", "_", "ab", "a-b", "a.b", "-", "@"} {
		all = append(all, first)
		for _, second := range []string{"x", "x-y", "0", ".z", "x/y", "x/y/z", "@"} {
			all = append(all, first+"/"+second)
		}
	}
	return all
}

func listGivesEveryObjectOnceInKeyOrder(t *testing.T, b bank.Bank) {
	all := orderKeys()
	shuffled := slices.Clone(all)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, key := range shuffled {
		Store(t, b, key, key)
	}
	slices.Sort(all)
	for _, limit := range []int{1, 2, 7, len(all) - 1, len(all), len(all) + 1, bank.MaxList} {
		var got []string
		for marker := ""; ; marker = got[len(got)-1] {
			page := keys(t, b, "", marker, limit)
			got = append(got, page...)
			if len(page) < limit {
				break
			}
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("in pages of %d: %s", limit, diff)
		}
	}
}

func listTakesAnyPrefixAndMarker(t *testing.T, b bank.Bank) {
	all := orderKeys()
	for _, key := range all {
		Store(t, b, key, "x")
	}
	slices.Sort(all)
	prefixes := []string{"", "a", "a/", "a/x", "a/x/", "a/x-", "a-", "a-/", "b", "a/x/y/z/", "..", "../", "/", "//", "a//", "=", "a=", "ä", "\xff", "a b", "./a", "a/../a", "a/."}
	markers := append([]string{"", "0", "a/x/y/", "a/xx", "b", "zzz", "\xff", "/", "..", "a=", "a/x/y/zz"}, all...)
	for _, prefix := range prefixes {
		for _, marker := range markers {
			want := []string{}
			for _, key := range all {
				if strings.HasPrefix(key, prefix) && key > marker && len(want) < 5 {
					want = append(want, key)
				}
			}
			if diff := cmp.Diff(want, keys(t, b, prefix, marker, 5)); diff != "" {
				t.Fatalf("prefix %q marker %q: %s", prefix, marker, diff)
			}
		}
	}
}

func listRefusesBadLimits(t *testing.T, b bank.Bank) {
	for _, limit := range []int{-1, 0, bank.MaxList + 1} {
		_, err := b.List(t.Context(), "", "", limit)
		wantKind(t, err, karbor.Invalid, fmt.Sprintf("limit %d", limit))
	}
	if got := keys(t, b, "", "", bank.MaxList); len(got) != 0 {
		t.Errorf("an empty bank lists %q", got)
	}
}

func listPagesThroughManyObjects(t *testing.T, b bank.Bank) {
	var want []string
	for i := range 2*bank.MaxList/4 + 3 {
		key := fmt.Sprintf("many/%06d", i)
		Store(t, b, key, "")
		want = append(want, key)
	}
	Store(t, b, "manz", "")
	var got []string
	for marker := ""; ; marker = got[len(got)-1] {
		page := keys(t, b, "many/", marker, 100)
		got = append(got, page...)
		if len(page) < 100 {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := keys(t, b, "many/", "", bank.MaxList); len(got) != len(want) {
		t.Errorf("%d objects in one list, want %d", len(got), len(want))
	}
}

// behavesAsASortedMap plays random calls on the bank and on a Memory.
func behavesAsASortedMap(t *testing.T, b bank.Bank) {
	key := rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a-", "a.b", "@", "0"}), 1, 3).Draw(t, "parts")
		return strings.Join(parts, "/")
	})
	ctx := t.Context()
	rapid.Check(t, func(r *rapid.T) {
		wipe(r, b)
		model := NewMemory()
		same := func(what string, got, want error) {
			if (got == nil) != (want == nil) || karbor.KindOf(got) != karbor.KindOf(want) {
				r.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				k, text := key.Draw(r, "key"), rapid.StringN(0, 20, -1).Draw(r, "text")
				size := int64(len(text))
				same("put", b.Put(ctx, k, strings.NewReader(text), size), model.Put(ctx, k, strings.NewReader(text), size))
			},
			"create": func(r *rapid.T) {
				k, text := key.Draw(r, "key"), rapid.StringN(0, 20, -1).Draw(r, "text")
				size := int64(len(text)) + rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(r, "lie")
				same("create", b.Create(ctx, k, strings.NewReader(text), size), model.Create(ctx, k, strings.NewReader(text), size))
			},
			"delete": func(r *rapid.T) {
				k := key.Draw(r, "key")
				same("delete", b.Delete(ctx, k), model.Delete(ctx, k))
			},
			"get": func(r *rapid.T) {
				k := key.Draw(r, "key")
				offset, length := rapid.Int64Range(0, 25).Draw(r, "offset"), rapid.Int64Range(-1, 25).Draw(r, "length")
				got, err := b.Get(ctx, k, offset, length)
				want, wantErr := model.Get(ctx, k, offset, length)
				same("get", err, wantErr)
				if err == nil && content(r, got) != content(r, want) {
					r.Fatalf("get %s from %d for %d differs", k, offset, length)
				}
			},
			"": func(r *rapid.T) {
				prefix, marker := key.Draw(r, "prefix"), key.Draw(r, "marker")
				prefix = prefix[:rapid.IntRange(0, len(prefix)).Draw(r, "cut")]
				limit := rapid.IntRange(1, 10).Draw(r, "limit")
				got, err := b.List(ctx, prefix, marker, limit)
				want, wantErr := model.List(ctx, prefix, marker, limit)
				same("list", err, wantErr)
				for i := range want {
					if len(got) != len(want) || got[i].Key != want[i].Key || got[i].Size != want[i].Size {
						r.Fatalf("list %q after %q: %v, want %v", prefix, marker, got, want)
					}
				}
				if len(got) != len(want) {
					r.Fatalf("list %q after %q: %v, want %v", prefix, marker, got, want)
				}
			},
		})
	})
}

func content(r *rapid.T, body io.ReadCloser) string {
	text, err := io.ReadAll(body)
	if closeErr := body.Close(); err != nil || closeErr != nil {
		r.Fatalf("reading: %v, %v", err, closeErr)
	}
	return string(text)
}

// wipe empties a bank.
func wipe(r *rapid.T, b bank.Bank) {
	ctx := r.Context()
	for {
		infos, err := b.List(ctx, "", "", bank.MaxList)
		if err != nil {
			r.Fatal(err)
		}
		for _, i := range infos {
			if err := b.Delete(ctx, i.Key); err != nil {
				r.Fatal(err)
			}
		}
		if len(infos) == 0 {
			return
		}
	}
}
