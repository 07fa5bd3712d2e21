package upkeep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/karbor/karbor/internal/repository/verification"
)

// states keeps what verifications have found good, a file for each domain, and how far the
// comparing of checkpoints with their lists of contents is.
type states struct {
	folder string // "" is memory only
	known  map[string]*verification.State
	begun  map[string]time.Time
}

// comparedFile names the checkpoint that was compared last. No domain has such a name.
const comparedFile = "contents.compared"

// compared gives the checkpoint that was compared last, and when; "" begins anew.
func (s states) compared() (checkpoint string, at time.Time) {
	path := filepath.Join(s.folder, comparedFile)
	info, err := os.Stat(path)
	if s.folder == "" || err != nil {
		return "", time.Time{}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", time.Time{}
	}
	return string(text), info.ModTime()
}

// saveCompared keeps what compared gives.
func (s states) saveCompared(checkpoint string, now time.Time) error {
	if s.folder == "" {
		return nil
	}
	err := os.MkdirAll(s.folder, 0o700)
	if err == nil {
		err = replace(filepath.Join(s.folder, comparedFile), []byte(checkpoint), now)
	}
	if err != nil {
		return fmt.Errorf("keeping what was compared: %w", err)
	}
	return nil
}

func newStates(folder string) states {
	return states{folder: folder, known: map[string]*verification.State{}, begun: map[string]time.Time{}}
}

func (s states) path(domain string) string { return filepath.Join(s.folder, domain+".verified") }

// of gives what is known of a domain. A file that is damaged counts as none: all is looked
// at again then.
func (s states) of(domain string) (*verification.State, error) {
	if state := s.known[domain]; state != nil || s.folder == "" {
		if state == nil {
			state = verification.NewState()
			s.known[domain] = state
		}
		return state, nil
	}
	state := verification.NewState()
	text, err := os.ReadFile(s.path(domain))
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was found good: %w", err)
	}
	if state.UnmarshalBinary(text) != nil {
		return verification.NewState(), nil
	}
	return state, nil
}

// at is when a domain was verified last; zero is never.
func (s states) at(domain string) time.Time {
	if s.folder == "" {
		return s.begun[domain]
	}
	i, err := os.Stat(s.path(domain))
	if err != nil {
		return time.Time{} // it is looked at again
	}
	return i.ModTime()
}

// save keeps what is known of a domain, and when.
func (s states) save(domain string, state *verification.State, now time.Time) error {
	s.begun[domain] = now
	if s.folder == "" {
		return nil
	}
	text, err := state.MarshalBinary()
	if err == nil {
		err = os.MkdirAll(s.folder, 0o700)
	}
	if err == nil {
		err = replace(s.path(domain), text, now)
	}
	if err != nil {
		return fmt.Errorf("keeping what was found good: %w", err)
	}
	return nil
}

// replace writes a file that is whole at any time.
func replace(path string, text []byte, now time.Time) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Chtimes(f.Name(), now, now)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
