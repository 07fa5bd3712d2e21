package config

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/karbor/karbor"
)

const keyBytes = 32

// ServiceKey reads the service key, and makes one at the first start where no
// file is configured.
func (c Config) ServiceKey() ([]byte, error) {
	path := c.ServiceKeyFile
	if path == "" {
		path = filepath.Join(c.State, "service.key")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && c.ServiceKeyFile == "" {
		text, err = makeSecret(path, newKey())
	}
	if err != nil {
		return nil, fmt.Errorf("reading the service key: %w", err)
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("the service key in %s is not %d hexadecimal digits", path, 2*keyBytes)
	}
	return key, nil
}

// newKey gives the text of a new service key.
func newKey() string {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return hex.EncodeToString(key) + "\n"
}

// makeSecret makes a file, whole or not at all, and gives what is in it: of several that make it
// at once, all get what the first has written.
func makeSecret(path, text string) ([]byte, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		// A link, unlike a new name, never takes the place of a file.
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return os.ReadFile(path)
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Password reads the service user's password from its file.
func (k Keystone) Password() (karbor.Secret, error) {
	text, err := os.ReadFile(k.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("reading the service user's password: %w", err)
	}
	return karbor.Secret(bytes.TrimSpace(text)), nil
}

// Installation gives the name of this installation, made at its first start and
// kept in the state folder. Leases carry it.
func (c Config) Installation() (string, error) {
	path := filepath.Join(c.State, "installation.id")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeSecret(path, karbor.NewID()+"\n")
	}
	if err != nil {
		return "", fmt.Errorf("reading the installation's name: %w", err)
	}
	id := string(bytes.TrimSpace(text))
	if !karbor.IsUUID(id) {
		return "", fmt.Errorf("the installation's name in %s is not a UUID", path)
	}
	return id, nil
}
