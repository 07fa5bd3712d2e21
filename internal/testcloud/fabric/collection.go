package fabric

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Collection is a set of documents of one type by id. T is encoded as JSON
// when it is put and decoded when it is read, so what a caller gets is its own
// copy. T needs exported fields; a field hidden from JSON is not kept.
type Collection[T any] struct {
	store *Store
	name  string
}

// NewCollection opens the collection called name, which must be a plain file
// name such as "cinder-volumes" and unique in the cloud.
func NewCollection[T any](s *Store, name string) *Collection[T] {
	return &Collection[T]{store: s, name: name}
}

// Get gives the document with that id, and whether there is one.
func (c *Collection[T]) Get(id string) (T, bool) {
	c.store.mu.Lock()
	e, ok := c.store.data[c.name][id]
	c.store.mu.Unlock()
	var v T
	if !ok {
		return v, false
	}
	return decode[T](e), true
}

// Put inserts or replaces a document. A replaced one keeps its place in List.
func (c *Collection[T]) Put(id string, v T) {
	doc, err := json.Marshal(v)
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if err != nil {
		c.store.failed = fmt.Errorf("encoding a document of %s: %w", c.name, err)
		return
	}
	c.put(id, doc)
}

// Add inserts a document unless there is one with that id, and tells whether it did.
func (c *Collection[T]) Add(id string, v T) bool {
	doc, err := json.Marshal(v)
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if err != nil {
		c.store.failed = fmt.Errorf("encoding a document of %s: %w", c.name, err)
		return true
	}
	if _, ok := c.store.data[c.name][id]; ok {
		return false
	}
	c.put(id, doc)
	return true
}

func (c *Collection[T]) put(id string, doc json.RawMessage) {
	seq := c.store.data[c.name][id].Seq
	if seq == 0 {
		seq = c.store.seq + 1
	}
	c.store.record(change{Collection: c.name, ID: id, Seq: seq, Doc: doc})
}

// Update changes the document in one atomic step and gives the new one. When
// change gives an error nothing is kept. It gives false when there is no such
// document. The function must not call the store.
func (c *Collection[T]) Update(id string, change func(*T) error) (T, bool, error) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	e, ok := c.store.data[c.name][id]
	if !ok {
		var none T
		return none, false, nil
	}
	v := decode[T](e)
	if err := change(&v); err != nil {
		return v, true, err
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return v, true, fmt.Errorf("encoding a document of %s: %w", c.name, err)
	}
	c.put(id, doc)
	return v, true, nil
}

// Delete removes the document and tells whether there was one.
func (c *Collection[T]) Delete(id string) bool {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if _, ok := c.store.data[c.name][id]; !ok {
		return false
	}
	c.store.record(change{Collection: c.name, ID: id})
	return true
}

// List gives the documents that keep accepts (all, if keep is nil), oldest
// first.
func (c *Collection[T]) List(keep func(T) bool) []T {
	c.store.mu.Lock()
	entries := make([]entry, 0, len(c.store.data[c.name]))
	for _, e := range c.store.data[c.name] {
		entries = append(entries, e)
	}
	c.store.mu.Unlock()
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.Seq, b.Seq) })
	list := make([]T, 0, len(entries))
	for _, e := range entries {
		if v := decode[T](e); keep == nil || keep(v) {
			list = append(list, v)
		}
	}
	return list
}

// decode reads a stored document. One that T can't hold (a state folder of
// another version) reads as far as it can.
func decode[T any](e entry) T {
	var v T
	_ = json.Unmarshal(e.Doc, &v)
	return v
}

// Drop removes the documents that match and gives their number.
func (c *Collection[T]) Drop(match func(T) bool) int {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	var ids []string
	for id, e := range c.store.data[c.name] {
		if match(decode[T](e)) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		c.store.record(change{Collection: c.name, ID: id})
	}
	return len(ids)
}
