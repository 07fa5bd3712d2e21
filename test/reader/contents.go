package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// text gives a document of a checkpoint, opened if it is sealed.
func (v *vault) text(key string) (text []byte, sealed bool, err error) {
	text, err = readWhole(v.from, key, maxSealed)
	if err != nil || !bytes.HasPrefix(text, []byte(sealedBegin)) {
		return text, false, err
	}
	var envelope struct {
		Domain string `json:"domain"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return nil, true, damagedf("reading its envelope: %w", err)
	}
	r, err := v.domain(envelope.Domain)
	if err != nil {
		return nil, true, err
	}
	text, err = r.documentText(key)
	return text, true, err
}

// contents gives the keys below nodes/ that an available checkpoint had; none for one that tells none.
func (v *vault) contents(s state) ([]string, error) {
	if s.contents == "" || s.status != "available" {
		return nil, nil
	}
	text, sealed, err := v.text(s.prefix() + "contents/" + s.contents)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damagedf("the list of contents is missing")
	}
	if sealed && v.by == nil {
		return nil, nil // nobody can tell
	}
	if err != nil {
		return nil, err
	}
	if d, err := v.description(s); err == nil && d.sealed && !sealed {
		return nil, damagedf("the list of contents is in the clear, and the checkpoint is sealed")
	}
	members, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	var layout int
	var keys []string
	if err := errors.Join(members.member("layout", &layout), members.member("objects", &keys)); err != nil {
		return nil, err
	}
	if layout != 1 || !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) || slices.ContainsFunc(keys, func(key string) bool { return !listable(key) }) {
		return nil, damagedf("the list of contents is none")
	}
	return keys, nil
}

// listable reports whether a key below nodes/ may be in a list of contents.
func listable(key string) bool {
	parts := strings.Split(key, "/")
	if slices.Contains(parts, "") || slices.Contains(parts, ".") || slices.Contains(parts, "..") || len(parts) < 4 {
		return false
	}
	return parts[2] == "documents" || parts[2] == "data" && len(parts) == 5 && parts[4] == "manifest"
}

// whole gives an error that names what a checkpoint had and the bank has no more.
func (v *vault) whole(s state) error {
	keys, err := v.contents(s)
	var missing []error
	for _, key := range keys {
		_, err := v.from.size(s.prefix() + "nodes/" + key)
		if errors.Is(err, fs.ErrNotExist) {
			err = damagedf("%s is missing", key)
		}
		missing = append(missing, err)
	}
	if err = errors.Join(append(missing, err)...); err == nil {
		return nil
	}
	if newest, lookErr := v.newest(s); lookErr != nil || !newest {
		return lookErr // what it had may have been removed by whoever wrote the next state
	}
	return fmt.Errorf("the checkpoint %s is not whole: %w", s.checkpoint, err)
}

// newest takes a second look at a state: a listing may not have shown that there is another one behind
// it, or that it is gone.
func (v *vault) newest(s state) (bool, error) {
	// The oldest goes first, so in this order.
	for _, look := range []struct {
		number int
		there  bool
	}{{s.number + 1, false}, {s.number, true}} {
		_, err := v.from.size(s.key(look.number))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if (err == nil) != look.there {
			return false, nil
		}
	}
	return true, nil
}
