package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A place is where a chunk or a page lies.
type place struct {
	key    string
	kind   kind
	group  groupEntry
	offset int64 // in the raw bytes of the group
	length uint32
}

// A repository is that of one domain. It is for one reader at a time.
type repository struct {
	from     objects
	prefix   string
	format   formatDocument
	keys     keys
	useIndex bool

	loaded, loadedPacks bool
	known               map[string]bool // keys of packs whose directories are taken in
	places              map[kind]map[id][]place
	notes               []error
	recent              []openedGroup
}

// An openedGroup is kept: neighbours in a stream are mostly neighbours in a group.
type openedGroup struct {
	key    string
	offset int64
	raw    []byte
}

const keptGroups = 16

// openRepository opens the repository of a domain.
func openRepository(from objects, domain string, by way) (*repository, error) {
	if !validID(domain) {
		return nil, fmt.Errorf("%q is no id of a domain", domain)
	}
	r := &repository{from: from, prefix: "v1/repositories/" + domain + "/", known: map[string]bool{},
		places: map[kind]map[id][]place{dataKind: {}, pagesKind: {}}}
	text, err := readWhole(from, r.prefix+"format", documentLimit)
	if err != nil {
		return nil, err
	}
	if r.format, err = parseFormat(text, domain); err != nil {
		return nil, fmt.Errorf("the format document: %w", err)
	}
	if err := checkRequirements(from, r.prefix); err != nil {
		return nil, err
	}
	master, err := unlock(from, r.prefix+"slots/", r.format, by)
	if err != nil {
		return nil, err
	}
	if r.keys, err = deriveKeys(master, r.format.repository); err != nil {
		return nil, err
	}
	return r, r.format.check(r.keys.format)
}

// note keeps what was damaged but may not matter, for the text of an error later.
func (r *repository) note(err error) { r.notes = append(r.notes, err) }

// takeIn remembers where the chunks of a pack lie.
func (r *repository) takeIn(key string, of kind, groups []groupEntry) {
	if r.known[key] {
		return
	}
	r.known[key] = true
	for _, group := range groups {
		var offset int64
		for _, chunk := range group.chunks {
			r.places[of][chunk.id] = append(r.places[of][chunk.id],
				place{key: key, kind: of, group: group, offset: offset, length: chunk.length})
			offset += int64(chunk.length)
		}
	}
}

// load takes in the index, or all directories.
func (r *repository) load() error {
	if r.loaded {
		return nil
	}
	r.loaded = true
	if r.useIndex {
		return r.loadIndex()
	}
	return r.loadPacks()
}

// find gives the bytes of an id: from the first of its places that is whole.
func (r *repository) find(of kind, wanted id) ([]byte, error) {
	failures := []error{damagedf("%s %x is nowhere", of.word(), wanted)}
	tried := 0
	for range 2 {
		for _, at := range r.places[of][wanted][tried:] {
			tried++
			content, err := r.readAt(at, wanted)
			if err == nil {
				return content, nil
			}
			failures = append(failures, err)
		}
		if err := r.loadPacks(); err != nil {
			return nil, err
		}
	}
	return nil, errors.Join(append(failures, r.notes...)...)
}

// readAt gives the bytes at a place, if they are those of the id.
func (r *repository) readAt(at place, wanted id) ([]byte, error) {
	raw, err := r.group(at)
	if err != nil {
		return nil, fmt.Errorf("the group at %d of %s: %w", at.group.offset, at.key, err)
	}
	content := raw[at.offset : at.offset+int64(at.length)]
	idKey := r.keys.chunkID
	if at.kind == pagesKind {
		idKey = r.keys.pageID
	}
	if keyed(idKey, content) != wanted {
		return nil, damagedf("%s %x in %s has another id", at.kind.word(), wanted, at.key)
	}
	return content, nil
}

// group gives the raw bytes of a group.
func (r *repository) group(at place) ([]byte, error) {
	for _, one := range r.recent {
		if one.key == at.key && one.offset == at.group.offset {
			return one.raw, nil
		}
	}
	stored, err := r.from.read(at.key, at.group.offset, at.group.stored)
	if err != nil {
		return nil, err
	}
	raw, err := r.keys.openGroup(at.kind, stored, at.group.raw)
	if err != nil {
		return nil, err
	}
	if len(r.recent) == keptGroups {
		r.recent = r.recent[1:]
	}
	r.recent = append(r.recent, openedGroup{at.key, at.group.offset, raw})
	return raw, nil
}

// A sink takes the bytes of a stream.
type sink interface {
	io.Writer
	// hole takes so many zero bytes.
	hole(length int64) error
}

// writerSink writes holes out.
type writerSink struct{ io.Writer }

func (w writerSink) hole(length int64) error {
	zeros := make([]byte, min(length, 1<<20))
	for length > 0 {
		n, err := w.Write(zeros[:min(length, int64(len(zeros)))])
		if err != nil {
			return err
		}
		length -= int64(n)
	}
	return nil
}

// stream gives the bytes of the stream whose manifest has the key. Where it fails, what it gave is right, and less.
func (r *repository) stream(key string, to sink) error {
	if !strings.HasPrefix(key, "v1/checkpoints/") || !strings.Contains(key, "/data/") ||
		!strings.HasSuffix(key, "/manifest") || !validKey(key) {
		return fmt.Errorf("%q is no key of a manifest", key)
	}
	text, err := readWhole(r.from, key, manifestLimit)
	if err != nil {
		return err
	}
	found, err := parseManifest(text, r.format)
	if err != nil {
		return fmt.Errorf("the manifest %s: %w", key, err)
	}
	content, err := openBox(r.keys.manifest, "karbor/1 manifest|"+key, found.box)
	if err != nil {
		return err
	}
	begin, err := parseRoot(content)
	if err != nil {
		return fmt.Errorf("the manifest %s: %w", key, err)
	}
	if begin.size != found.size {
		return damagedf("the manifest %s says %d bytes, its root %d", key, found.size, begin.size)
	}
	if err := r.load(); err != nil {
		return err
	}
	left := begin.size
	for i, page := range begin.pages {
		length := min(left, span)
		if err := r.span(page, length, to); err != nil {
			return fmt.Errorf("span %d of %s: %w", i, key, err)
		}
		left -= length
	}
	return nil
}

// span gives the bytes of one page.
func (r *repository) span(page id, length uint64, to sink) error {
	if page == (id{}) {
		return to.hole(int64(length))
	}
	content, err := r.find(pagesKind, page)
	if err != nil {
		return err
	}
	pieces, err := parsePage(content, length)
	if err != nil {
		return err
	}
	for _, one := range pieces {
		if one.hole {
			if err := to.hole(int64(one.length)); err != nil {
				return err
			}
			continue
		}
		chunk, err := r.find(dataKind, one.id)
		if err != nil {
			return err
		}
		if len(chunk) != int(one.length) {
			return damagedf("chunk %x has %d bytes, its page says %d", one.id, len(chunk), one.length)
		}
		if _, err := to.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
