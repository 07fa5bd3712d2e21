package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/karbor/karbor/internal/repository/verification"
)

// verifiedStates are files that keep what verifications found good, one for each domain.
type verifiedStates struct {
	folder string
	known  map[string]*verification.State
	failed []error
}

func (s *verifiedStates) path(domain string) string {
	return filepath.Join(s.folder, domain+".verified")
}

// of gives what is known of a domain. A file that is damaged counts as none: then all is
// looked at again.
func (s *verifiedStates) of(domain string) *verification.State {
	state := verification.NewState()
	text, err := os.ReadFile(s.path(domain))
	if err == nil && state.UnmarshalBinary(text) != nil {
		state = verification.NewState()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.failed = append(s.failed, fmt.Errorf("reading what was found good: %w", err))
	}
	s.known[domain] = state
	return state
}

// save writes what is known now.
func (s *verifiedStates) save() error {
	if len(s.known) == 0 {
		return errors.Join(s.failed...)
	}
	errs := append([]error{}, s.failed...)
	errs = append(errs, os.MkdirAll(s.folder, 0o700))
	for domain, state := range s.known {
		text, err := state.MarshalBinary()
		if err == nil {
			err = replaceFile(s.path(domain), text)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("keeping what was found good: %w", err)
	}
	return nil
}

// replaceFile writes a file that is whole at any time.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
