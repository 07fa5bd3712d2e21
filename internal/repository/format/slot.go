package format

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// SlotKind is a way to the master key.
type SlotKind string

// The kinds of slots.
const (
	PassphraseSlot SlotKind = "passphrase"
	FileSlot       SlotKind = "file"
	BarbicanSlot   SlotKind = "barbican"
	RecoverySlot   SlotKind = "recovery"
)

// Slot is a key slot as it lies in the bank.
type Slot struct {
	Format    string   `json:"format"`
	Slot      string   `json:"slot"`
	Kind      SlotKind `json:"kind"`
	CreatedAt string   `json:"created_at"`
	Label     string   `json:"label"`
	// Salt and the costs are those of Argon2id, of a passphrase.
	Salt      string `json:"salt,omitempty"`
	Time      uint32 `json:"time,omitempty"`
	MemoryKiB uint32 `json:"memory_kib,omitempty"`
	Threads   uint8  `json:"threads,omitempty"`
	// Secret is the URL of a Barbican secret.
	Secret  string `json:"secret,omitempty"`
	Wrapped string `json:"wrapped"`
}

// Limits of the costs that a reader bears.
const (
	maxTime      = 64
	maxMemoryKiB = 4 << 20
	maxThreads   = 64
	// leastMemoryKiB, of each thread, is RFC 9106's.
	leastMemoryKiB = 8
)

// PassphraseKey gives the key encryption key of a passphrase; new slots get their
// costs by PassphraseCosts first.
func (s *Slot) PassphraseKey(passphrase string) (Key, error) {
	var k Key
	salt, err := base64.StdEncoding.Strict().DecodeString(s.Salt)
	switch {
	case s.Kind != PassphraseSlot:
		return k, damaged("slot", "it is of the kind %q", s.Kind)
	case err != nil || len(salt) != 16:
		return k, damaged("slot", "its salt is not 16 bytes in base64")
	case s.Time < 1 || s.Time > maxTime || s.Threads < 1 || s.Threads > maxThreads ||
		s.MemoryKiB < leastMemoryKiB*uint32(s.Threads) || s.MemoryKiB > maxMemoryKiB:
		return k, damaged("slot", "its costs (%d rounds, %d KiB, %d threads) are out of range", s.Time, s.MemoryKiB, s.Threads)
	}
	copy(k[:], argon2.IDKey([]byte(passphrase), salt, s.Time, s.MemoryKiB, s.Threads, uint32(len(k))))
	return k, nil
}

// PassphraseCosts gives a slot a random salt and the costs of RFC 9106's second
// recommended option: 3 rounds, 64 MiB, 4 threads.
func (s *Slot) PassphraseCosts() {
	var salt [16]byte
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(salt[:])
	s.Salt = base64.StdEncoding.EncodeToString(salt[:])
	s.Time, s.MemoryKiB, s.Threads = 3, 64<<10, 4
}

// ParseKeyFile reads the key of a key file.
func ParseKeyFile(text string) (Key, error) {
	var k Key
	text = strings.TrimSpace(text)
	if len(text) != 2*len(k) {
		return k, damaged("key file", "it does not hold %d hexadecimal digits", 2*len(k))
	}
	if _, err := hex.Decode(k[:], []byte(text)); err != nil {
		return Key{}, damaged("key file", "it does not hold %d hexadecimal digits", 2*len(k))
	}
	return k, nil
}

// RecoveryKey gives the key encryption key of a recovery key.
func RecoveryKey(recovery Key) Key { return sha256.Sum256(recovery[:]) }

// Wrap puts the master key into the slot, whose other members are set.
func (s *Slot) Wrap(d *Document, kek, master Key, now time.Time) error {
	s.Format, s.CreatedAt = Version, now.UTC().Format(timeFormat)
	box, err := seal(nil, &kek, s.context(d), master[:])
	if err != nil {
		return err
	}
	s.Wrapped = base64.StdEncoding.EncodeToString(box)
	return nil
}

// Unwrap takes the master key out of the slot.
func (s *Slot) Unwrap(d *Document, kek Key) (Key, error) {
	var master Key
	box, err := base64.StdEncoding.Strict().DecodeString(s.Wrapped)
	if err != nil {
		return master, damaged("slot", "its wrapped key is no base64")
	}
	plain, err := open(nil, &kek, "slot", s.context(d), box)
	if err != nil {
		return master, err
	}
	if len(plain) != len(master) {
		return master, damaged("slot", "its key has %d bytes", len(plain))
	}
	copy(master[:], plain)
	return master, nil
}

func (s *Slot) context(d *Document) string {
	return strings.Join([]string{"karbor/1 slot", d.Repository, d.Domain, s.Slot, string(s.Kind)}, "|")
}

// ParseSlot reads the slot that lies under its id.
func ParseSlot(text []byte, id string) (*Slot, error) {
	var s Slot
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, damaged("slot", "it is no JSON object: %v", err)
	}
	if s.Format != Version || s.Slot != id {
		return nil, damaged("slot", "it is of another version, or another's")
	}
	return &s, nil
}
