package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The kinds of slots that this reader opens.
const (
	kindPassphrase = "passphrase"
	kindFile       = "file"
	kindBarbican   = "barbican"
	kindRecovery   = "recovery"
)

// A way is a way to the master key: the secret of a slot of a kind, or without a kind the master key itself.
type way struct {
	kind   string
	secret []byte
}

// parseKeyFile reads 64 hexadecimal digits, with white space around.
func parseKeyFile(content string) ([]byte, error) {
	key, err := hex.DecodeString(strings.Trim(content, " \t\r\n"))
	if err != nil || len(key) != 32 {
		return nil, errors.New("these are not 64 hexadecimal digits")
	}
	return key, nil
}

// parseRecoveryKey reads a recovery key as it was shown to people.
func parseRecoveryKey(content string) ([]byte, error) {
	return parseKeyFile(content)
}

// A slot is one way in.
type slot struct {
	id, kind, createdAt   string
	salt, wrapped         []byte
	time, memory, threads uint32
}

func parseSlot(text []byte, name string) (slot, error) {
	members, err := parseDocument(text)
	if err != nil {
		return slot{}, err
	}
	var result slot
	var label string
	if err := members.texts(map[string]*string{
		"slot": &result.id, "kind": &result.kind, "created_at": &result.createdAt, "label": &label,
	}); err != nil {
		return slot{}, err
	}
	if result.id != name {
		return slot{}, damagedf("the slot is %q", result.id)
	}
	if err := checkTime(result.createdAt); err != nil {
		return slot{}, err
	}
	if result.wrapped, err = members.bytes("wrapped"); err != nil {
		return slot{}, err
	}
	if len(result.wrapped) != boxOverhead+32 {
		return slot{}, damagedf("the wrapped key has %d bytes", len(result.wrapped))
	}
	switch result.kind {
	case kindPassphrase:
		return result, result.parseCosts(members)
	case kindBarbican:
		_, err := members.text("secret")
		return result, err
	case kindFile, kindRecovery:
		return result, nil
	}
	return slot{}, damagedf("the kind is %q", result.kind)
}

func (s *slot) parseCosts(members document) error {
	for _, cost := range []struct {
		name  string
		into  *uint32
		limit uint32
	}{{"time", &s.time, 64}, {"memory_kib", &s.memory, 4_194_304}, {"threads", &s.threads, 64}} {
		if err := members.member(cost.name, cost.into); err != nil {
			return err
		}
		if *cost.into == 0 || *cost.into > cost.limit {
			return damagedf("%s is %d", cost.name, *cost.into)
		}
	}
	if s.memory < 8*s.threads {
		return damagedf("memory_kib is %d for %d threads", s.memory, s.threads)
	}
	var err error
	if s.salt, err = members.bytes("salt"); err != nil {
		return err
	}
	if len(s.salt) != 16 {
		return damagedf("the salt has %d bytes", len(s.salt))
	}
	return nil
}

// encryptionKey is the key encryption key that a secret makes for the slot.
func (s slot) encryptionKey(secret []byte) []byte {
	switch s.kind {
	case kindPassphrase:
		return argon2.IDKey(secret, s.salt, s.time, s.memory, uint8(s.threads), 32)
	case kindRecovery:
		hash := sha256.Sum256(secret)
		return hash[:]
	default:
		return secret
	}
}

// unwrap gives the master key.
func (s slot) unwrap(format formatDocument, secret []byte) ([]byte, error) {
	context := fmt.Sprintf("karbor/1 slot|%s|%s|%s|%s", format.repositoryText, format.domain, s.id, s.kind)
	return openBox(s.encryptionKey(secret), context, s.wrapped)
}

// unlock tries the slots of a domain until one gives the master key.
func unlock(from objects, prefix string, format formatDocument, by way) ([]byte, error) {
	if by.kind == "" {
		return by.secret, nil
	}
	names, err := from.list(prefix)
	if err != nil {
		return nil, err
	}
	failures := []error{fmt.Errorf("no slot of the kind %s opens", by.kind)}
	for _, key := range names {
		name := strings.TrimPrefix(key, prefix)
		if !validUUID(name) {
			continue
		}
		master, err := tryUnlock(from, key, name, format, by)
		if err == nil && master != nil {
			return master, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// tryUnlock opens one slot; it gives nil where the slot is of another kind.
func tryUnlock(from objects, key, name string, format formatDocument, by way) ([]byte, error) {
	text, err := readWhole(from, key, documentLimit)
	if err != nil {
		return nil, err
	}
	one, err := parseSlot(text, name)
	if err != nil {
		return nil, fmt.Errorf("slot %s: %w", name, err)
	}
	if one.kind != by.kind {
		return nil, nil
	}
	master, err := one.unwrap(format, by.secret)
	if err != nil {
		return nil, fmt.Errorf("slot %s: %w", name, err)
	}
	return master, nil
}

// validUUID tells whether a text is a UUID in lower case with dashes.
func validUUID(text string) bool {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	var into [16]byte
	return lowerHex(strings.ReplaceAll(text, "-", ""), into[:]) == nil
}
