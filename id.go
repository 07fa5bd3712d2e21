package karbor

import (
	"crypto/rand"
	"fmt"
	"regexp"
)

var (
	uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	// OpenStack's own ids are UUIDs with or without dashes; other systems
	// (Kubernetes pods, say) use names. What none of them uses is left out, as
	// the id becomes a part of keys in the bank and of paths in URLs.
	resourceIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.\-]{0,254}$`)
)

// NewID makes a random UUID (RFC 9562, version 4) in lower case.
func NewID() string {
	var b [16]byte
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// IsUUID reports whether s is a UUID in its usual form with dashes. Ids of
// everything that Karbor itself makes have it.
func IsUUID(s string) bool { return uuidPattern.MatchString(s) }

// IsResourceID reports whether s can be the id of a resource: 1 to 255
// letters, digits, '.', '_' and '-', the first a letter or digit, and no "..".
func IsResourceID(s string) bool {
	if !resourceIDPattern.MatchString(s) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '.' && s[i-1] == '.' {
			return false
		}
	}
	return true
}
