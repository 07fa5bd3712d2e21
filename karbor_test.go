package karbor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretIsMaskedWhereverItIsPrinted(t *testing.T) {
	s := Secret("hunter2")
	holder := struct{ Password Secret }{s}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		string(text), s.String(), s.LogValue().String(),
		fmt.Sprintf("%v %+v %#v %s %q", s, holder, holder, s, s),
	} {
		if strings.Contains(printed, "hunter2") {
			t.Errorf("printed as %s", printed)
		}
	}
	if s.Reveal() != "hunter2" {
		t.Error("Reveal does not give the content")
	}
}

func TestErrorKeepsItsKindThroughWrapping(t *testing.T) {
	base := Errorf(NotFound, "there is no volume %s", "v1")
	wrapped := fmt.Errorf("reading the plan: %w", base)
	if KindOf(wrapped) != NotFound || Sentence(wrapped) != "there is no volume v1" {
		t.Errorf("kind %d, sentence %q", KindOf(wrapped), Sentence(wrapped))
	}
	if KindOf(errors.New("x")) != Internal || strings.Contains(Sentence(errors.New("x")), "x") {
		t.Error("an error without a kind shows itself to the tenant")
	}
	cause := errors.New("socket closed")
	e := Errorf(Unavailable, "Nova does not answer: %w", cause)
	if !errors.Is(e, cause) || e.Error() != "Nova does not answer: socket closed" {
		t.Errorf("error is %q, is cause: %v", e, errors.Is(e, cause))
	}
}

func TestOnlyWhatCanPassIsTransient(t *testing.T) {
	cases := map[string]struct {
		err  error
		want bool
	}{
		"nothing":         {nil, false},
		"unknown":         {errors.New("x"), false},
		"not found":       {Errorf(NotFound, "x"), false},
		"transient":       {Transientf("x"), true},
		"wrapped":         {fmt.Errorf("doing: %w", Transientf("x")), true},
		"deadline":        {context.DeadlineExceeded, true},
		"cancelled":       {context.Canceled, false},
		"cancel in cause": {&Error{Kind: Unavailable, Message: "x", Transient: true, Cause: context.Canceled}, false},
	}
	for name, c := range cases {
		if got := IsTransient(c.err); got != c.want {
			t.Errorf("%s: transient = %v, want %v", name, got, c.want)
		}
	}
}

func TestResourceIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"3f0b1c52-4c1e-4a5e-9d43-7a5d1e9b6f10": true, "0123456789abcdef0123456789abcdef": true, "pod-1.web": true,
		"": false, "..": false, "a..b": false, "../x": false, "a/b": false, "a b": false, ".hidden": false,
		"a@b": false, "ä": false, strings.Repeat("a", 256): false, "a\n": false,
	} {
		if got := IsResourceID(id); got != want {
			t.Errorf("IsResourceID(%q) = %v, want %v", id, got, want)
		}
	}
}

func TestNewIDIsAUUIDAndNew(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if !IsUUID(id) || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) || seen[id] {
			t.Fatalf("%q is no new random UUID", id)
		}
		seen[id] = true
	}
}

func TestParametersOfAResourceOverrideThoseOfItsType(t *testing.T) {
	p := Parameters{
		"OS::Cinder::Volume":    {"backup_name": "all", "description": "d"},
		"OS::Cinder::Volume#v1": {"backup_name": "one"},
	}
	got := p.For(Resource{Type: VolumeType, ID: "v1"})
	if diff := cmp.Diff(map[string]any{"backup_name": "one", "description": "d"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := p.For(Resource{Type: ServerType, ID: "s"}); len(got) != 0 {
		t.Errorf("a server gets %v", got)
	}
}

func TestParameterTypeTakesKnownTypesOnly(t *testing.T) {
	for key, ok := range map[string]bool{
		"OS::Cinder::Volume": true, "OS::Cinder::Volume#3f0b1c52-4c1e-4a5e-9d43-7a5d1e9b6f10": true,
		"OS::Cinder::Volume#": false, "OS::Cinder::Volume#a/b": false, "Volume": false, "": false,
	} {
		if _, err := ParameterType(key); (err == nil) != ok {
			t.Errorf("ParameterType(%q) gives %v, want ok = %v", key, err, ok)
		}
	}
}
