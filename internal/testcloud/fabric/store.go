package fabric

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// compactAt is the journal's size in bytes at which the collections' files are
// written anew and the journal starts from nothing.
const compactAt = 16 << 20

// journalName is the file of changes since the collections' files were written.
const journalName = "journal.jsonl"

// entry is one stored document. Seq orders documents by their first Put.
type entry struct {
	Seq uint64          `json:"seq"`
	Doc json.RawMessage `json:"doc"`
}

// change is one line of the journal. No document means a deletion.
type change struct {
	Collection string          `json:"c"`
	ID         string          `json:"id"`
	Seq        uint64          `json:"seq,omitempty"`
	Doc        json.RawMessage `json:"doc,omitempty"`
}

// Store keeps the documents of all collections in memory and in a folder: one
// JSON file for each collection, written with a temporary name and a rename,
// and one journal of the changes since. A change is in the journal, by one
// write, before the call that made it returns; so kill -9 loses nothing that
// was answered. Only a crash of the machine can lose the last moments.
type Store struct {
	mu      sync.Mutex
	dir     string
	data    map[string]map[string]entry
	dirty   map[string]bool
	seq     uint64
	journal *os.File
	written int64
	failed  error
}

// OpenStore loads the state in dir, which it makes if need be. A torn last
// line of the journal is dropped.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	s := &Store{dir: dir, data: map[string]map[string]entry{}, dirty: map[string]bool{}}
	if err := s.loadCollections(); err != nil {
		return nil, err
	}
	if err := s.replay(); err != nil {
		return nil, err
	}
	// What was replayed goes into the files, so that a torn tail never has
	// further lines after it.
	if err := s.compact(); err != nil {
		return nil, err
	}
	return s, nil
}

// Empty tells whether there is no document at all: a new cloud.
func (s *Store) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, docs := range s.data {
		if len(docs) > 0 {
			return false
		}
	}
	return true
}

// Close writes the collections' files and closes the journal. Later changes
// fail. It gives the first error that any write had.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return s.failed
	}
	err := errors.Join(s.failed, s.compact())
	if s.journal != nil {
		err = errors.Join(err, s.journal.Close())
		s.journal = nil
	}
	return err
}

func (s *Store) loadCollections() error {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return fmt.Errorf("listing the state folder: %w", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading the state: %w", err)
		}
		docs := map[string]entry{}
		if err := json.Unmarshal(text, &docs); err != nil {
			return fmt.Errorf("reading the state in %s: %w", filepath.Base(name), err)
		}
		s.data[strings.TrimSuffix(filepath.Base(name), ".json")] = docs
		for _, e := range docs {
			s.seq = max(s.seq, e.Seq)
		}
	}
	return nil
}

// replay applies the journal. Doing so again on top of newer files ends in the
// same state, because each line holds a whole document.
func (s *Store) replay() error {
	f, err := os.Open(filepath.Join(s.dir, journalName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		var c change
		if json.Unmarshal(line, &c) != nil {
			return nil
		}
		s.apply(c)
	}
}

func (s *Store) apply(c change) {
	s.dirty[c.Collection] = true
	docs := s.data[c.Collection]
	if docs == nil {
		docs = map[string]entry{}
		s.data[c.Collection] = docs
	}
	if c.Doc == nil {
		delete(docs, c.ID)
		return
	}
	docs[c.ID] = entry{Seq: c.Seq, Doc: c.Doc}
	s.seq = max(s.seq, c.Seq)
}

// record applies a change and appends it to the journal; s.mu is held.
func (s *Store) record(c change) {
	s.apply(c)
	if s.journal == nil {
		s.failed = errors.Join(s.failed, errors.New("a change came after the store was closed"))
		return
	}
	line, err := json.Marshal(c)
	if err == nil {
		_, err = s.journal.Write(append(line, '\n'))
	}
	if err != nil {
		s.failed = fmt.Errorf("writing the journal: %w", err)
	}
	s.written += int64(len(line))
	if s.written >= compactAt {
		if err := s.compact(); err != nil {
			s.failed = err
		}
	}
}

// compact writes the changed collections' files and then an empty journal.
func (s *Store) compact() error {
	for name := range s.dirty {
		text, err := json.Marshal(s.data[name])
		if err != nil {
			return fmt.Errorf("encoding the collection %s: %w", name, err)
		}
		if err := replaceFile(filepath.Join(s.dir, name+".json"), text); err != nil {
			return err
		}
		delete(s.dirty, name)
	}
	if s.journal != nil {
		if err := s.journal.Close(); err != nil {
			return fmt.Errorf("closing the journal: %w", err)
		}
		s.journal = nil
	}
	f, err := os.OpenFile(filepath.Join(s.dir, journalName), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("starting the journal: %w", err)
	}
	s.journal, s.written = f, 0
	return nil
}

// replaceFile puts text in place of the file in one step.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("making a temporary state file: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	return nil
}
