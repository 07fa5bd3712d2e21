package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

const (
	statesRoot      = "v1/states/"
	checkpointsRoot = "v1/checkpoints/"
	// stateLimit is no limit of the format: a state has some hundred bytes.
	stateLimit = 1 << 20
)

// A state is the newest valid state of a checkpoint.
type state struct {
	project, checkpoint, provider, plan string
	status, createdAt, updatedAt        string
	size                                int64
	// contents is the name of its list of contents, or "".
	contents string
	// number is that of its key.
	number int
}

func (s state) prefix() string { return checkpointsRoot + s.project + "/" + s.checkpoint + "/" }

// key is where the state with a number lies.
func (s state) key(number int) string {
	return fmt.Sprintf("%s%s/%s/%08d", statesRoot, s.project, s.checkpoint, number)
}

// parseObject reads an object of JSON, and nothing behind it.
func parseObject(text []byte) (document, error) {
	var members document
	if len(text) == 0 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, damagedf("this is no document")
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, damagedf("reading a document: %w", err)
	}
	return members, nil
}

// parseState reads a state; what is not valid gives an error.
func parseState(text []byte, project, checkpoint string, number int) (state, error) {
	members, err := parseObject(text)
	if err != nil {
		return state{}, err
	}
	s := state{number: number}
	var owner string
	var layout, sequence int
	if err := members.texts(map[string]*string{"checkpoint_id": &s.checkpoint, "project_id": &s.project, "provider_id": &s.provider,
		"plan_id": &s.plan, "status": &s.status, "owner": &owner, "created_at": &s.createdAt, "updated_at": &s.updatedAt}); err != nil {
		return state{}, err
	}
	for name, into := range map[string]any{"layout": &layout, "sequence": &sequence, "size": &s.size} {
		if err := members.member(name, into); err != nil {
			return state{}, err
		}
	}
	switch {
	case layout != 1 || sequence != number || s.project != project || s.checkpoint != checkpoint:
		return state{}, damagedf("the state is another's")
	case !slices.Contains([]string{"protecting", "available", "error", "deleting", "error-deleting", "deleted"}, s.status):
		return state{}, damagedf("the status is %q", s.status)
	case s.size < 0 || !validID(s.provider) || !validID(s.plan):
		return state{}, damagedf("a member of the state is none")
	}
	if _, listed := members["contents"]; listed {
		if s.contents, err = members.text("contents"); err != nil {
			return state{}, err
		}
	}
	return s, errors.Join(checkTime(s.createdAt), checkTime(s.updatedAt))
}

// number reads a number in a key.
func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && len(text) == 8 && strings.Trim(text, "0123456789") == ""
}

// states gives all checkpoints that exist, by project and id.
func states(from objects) ([]state, error) {
	keys, err := from.list(statesRoot)
	if err != nil {
		return nil, err
	}
	var found []state
	var last string // the checkpoint whose state was found
	for _, key := range slices.Backward(keys) {
		parts := strings.Split(strings.TrimPrefix(key, statesRoot), "/")
		if len(parts) != 3 || !validID(parts[0]) || !validUUID(parts[1]) {
			continue
		}
		n, ok := number(parts[2])
		if !ok || last == parts[0]+"/"+parts[1] {
			continue
		}
		text, err := readWhole(from, key, stateLimit)
		if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		s, err := parseState(text, parts[0], parts[1], n)
		if err != nil {
			continue // it does not count
		}
		if last = parts[0] + "/" + parts[1]; s.status != "deleted" {
			found = append(found, s)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// A vault is a bank that is read by checkpoints. Its way in may be missing: then what is in the clear is read.
type vault struct {
	from     objects
	by       *way
	useIndex bool
	domains  map[string]*repository
}

// domain opens a key domain, once.
func (v *vault) domain(name string) (*repository, error) {
	if r := v.domains[name]; r != nil {
		return r, nil
	}
	if v.by == nil {
		return nil, fmt.Errorf("the key of the domain %q is needed", name)
	}
	r, err := openRepository(v.from, name, *v.by)
	if err != nil {
		return nil, err
	}
	r.useIndex = v.useIndex
	v.domains[name] = r
	return r, nil
}

// A description is what of it this reader shows.
type description struct {
	planName string
	sealed   bool
}

// description reads the description of a checkpoint, and compares it with the state.
func (v *vault) description(s state) (description, error) {
	text, sealed, err := v.text(s.prefix() + "description")
	result := description{sealed: sealed}
	if err != nil {
		return result, err
	}
	members, err := parseObject(text)
	if err != nil {
		return result, err
	}
	var layout int
	var checkpoint, project, provider, createdAt, plan string
	var protectionPlan document
	if err := errors.Join(members.member("layout", &layout), members.member("protection_plan", &protectionPlan), members.texts(map[string]*string{
		"checkpoint_id": &checkpoint, "project_id": &project, "provider_id": &provider, "created_at": &createdAt})); err != nil {
		return result, err
	}
	if err := protectionPlan.texts(map[string]*string{"id": &plan, "name": &result.planName}); err != nil {
		return result, err
	}
	if layout != 1 || checkpoint != s.checkpoint || project != s.project || provider != s.provider || plan != s.plan || createdAt != s.createdAt {
		return result, damagedf("the description is another's")
	}
	return result, nil
}

// A found is a stream of a checkpoint.
type found struct{ key, node, name string }

// streams gives those of a checkpoint that are complete.
func (v *vault) streams(s state) ([]found, error) {
	prefix := s.prefix() + "nodes/"
	keys, err := v.from.list(prefix)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, key := range keys {
		parts := strings.Split(strings.TrimPrefix(key, prefix), "/")
		if len(parts) == 5 && parts[2] == "data" && parts[4] == "manifest" {
			all = append(all, found{key, parts[0] + "/" + parts[1], parts[3]})
		}
	}
	return all, nil
}

// stream gives the bytes of a stream, of whichever format.
func (v *vault) stream(one found, to sink) error {
	text, err := readWhole(v.from, one.key, chunksManifestLimit)
	if err != nil {
		return err
	}
	members, err := parseObject(text)
	if err != nil {
		return fmt.Errorf("the manifest %s: %w", one.key, err)
	}
	format, err := members.text("format")
	switch {
	case err != nil:
		return fmt.Errorf("the manifest %s: %w", one.key, err)
	case format == chunksVersion:
		return chunksStream(v.from, strings.TrimSuffix(one.key, "manifest"), members, to)
	case format != version:
		return damagedf("the manifest %s has the format %q", one.key, format)
	}
	domain, err := members.text("domain")
	if err != nil {
		return fmt.Errorf("the manifest %s: %w", one.key, err)
	}
	r, err := v.domain(domain)
	if err != nil {
		return err
	}
	return r.stream(one.key, to)
}
