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
		return makeKey(path)
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

// makeKey writes a new key, whole or not at all.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return key, writeSecret(path, hex.EncodeToString(key)+"\n")
}

func writeSecret(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
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
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id := karbor.NewID()
		return id, writeSecret(path, id+"\n")
	case err != nil:
		return "", fmt.Errorf("reading the installation's name: %w", err)
	}
	id := string(bytes.TrimSpace(text))
	if !karbor.IsUUID(id) {
		return "", fmt.Errorf("the installation's name in %s is not a UUID", path)
	}
	return id, nil
}
