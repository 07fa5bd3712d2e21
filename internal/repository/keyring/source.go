package keyring

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
)

// Secrets gives the payloads of Barbican's secrets, by their URLs. The operator's
// service session fulfils it.
type Secrets interface {
	Payload(ctx context.Context, url string) ([]byte, error)
}

// Source is where a key encryption key comes from: it opens the slots of its kind, and
// new ones are made for it. It reads its file or secret each time that it is asked, so
// that a replaced one is seen. It is safe for concurrent use, and prints without
// anything secret.
type Source struct {
	kind  format.SlotKind
	label string
	// url is that of a Barbican secret, kept in the slot for people.
	url string
	// load gives the secret text or bytes of the kind.
	load func(ctx context.Context) (karbor.Secret, error)
	// deriving lets one passphrase after the other be stretched: that takes much memory.
	deriving sync.Mutex
}

// KeyFile is a file that holds 64 hexadecimal digits; see WriteKeyFile.
func KeyFile(path string) *Source {
	return &Source{kind: format.FileSlot, label: "key file " + filepath.Base(path), load: fromFile(path)}
}

// Key is the key of a key file, given as the text that is in one.
func Key(text karbor.Secret) *Source {
	return &Source{kind: format.FileSlot, label: "key", load: given(text)}
}

// PassphraseFile is a file that holds a passphrase: its first line.
func PassphraseFile(path string) *Source {
	return &Source{kind: format.PassphraseSlot, label: "passphrase file " + filepath.Base(path), load: fromFile(path)}
}

// Passphrase is a passphrase itself.
func Passphrase(text karbor.Secret) *Source {
	return &Source{kind: format.PassphraseSlot, label: "passphrase", load: given(text)}
}

// Barbican is a secret of 32 bytes that Barbican keeps.
func Barbican(url string, secrets Secrets) *Source {
	return &Source{kind: format.BarbicanSlot, label: "Barbican secret", url: url, load: func(ctx context.Context) (karbor.Secret, error) {
		if secrets == nil {
			return "", karbor.Errorf(karbor.Unavailable, "there is no session with Barbican to ask for a key")
		}
		payload, err := secrets.Payload(ctx, url)
		return karbor.Secret(payload), err
	}}
}

// RecoveryFile is a file that holds a recovery key, written as a key file is. It is kept
// where the service is not, for the day on which all other ways are lost.
func RecoveryFile(path string) *Source {
	return &Source{kind: format.RecoverySlot, label: "recovery key file " + filepath.Base(path), load: fromFile(path)}
}

// Recovery is a recovery key, given as the text that people have of it.
func Recovery(text karbor.Secret) *Source {
	return &Source{kind: format.RecoverySlot, label: "recovery key", load: given(text)}
}

// Labelled gives the source with another text for people, which its new slots get.
func (s *Source) Labelled(label string) *Source {
	return &Source{kind: s.kind, label: label, url: s.url, load: s.load}
}

// Kind is that of its slots.
func (s *Source) Kind() format.SlotKind { return s.kind }

// String tells what it is, without the secret.
func (s *Source) String() string { return s.label }

// GoString implements fmt.GoStringer.
func (s *Source) GoString() string { return s.label }

// LogValue implements slog.LogValuer.
func (s *Source) LogValue() slog.Value { return slog.StringValue(s.label) }

// Check reports whether the source gives a key now: that its file is there and in order,
// or that Barbican gives the secret.
func (s *Source) Check(ctx context.Context) error {
	text, err := s.load(ctx)
	if err == nil && s.kind != format.PassphraseSlot {
		_, err = s.key(text)
	} else if err == nil && passphrase(text) == "" {
		err = errors.New("the passphrase is empty")
	}
	return s.explain(err)
}

// keyFor gives the key encryption key for a slot of its kind.
func (s *Source) keyFor(ctx context.Context, slot *format.Slot) (format.Key, error) {
	text, err := s.load(ctx)
	if err != nil {
		return format.Key{}, s.explain(err)
	}
	if s.kind != format.PassphraseSlot {
		k, err := s.key(text)
		return k, s.explain(err)
	}
	if passphrase(text) == "" {
		return format.Key{}, s.explain(errors.New("the passphrase is empty"))
	}
	s.deriving.Lock()
	defer s.deriving.Unlock()
	return slot.PassphraseKey(passphrase(text))
}

// key gives the key encryption key of all kinds but the passphrase.
func (s *Source) key(text karbor.Secret) (format.Key, error) {
	if s.kind == format.BarbicanSlot {
		var k format.Key
		if len(text) != len(k) {
			return k, fmt.Errorf("the secret has %d bytes and not %d", len(text), len(k))
		}
		copy(k[:], text.Reveal())
		return k, nil
	}
	k, err := format.ParseKeyFile(text.Reveal())
	if err == nil && s.kind == format.RecoverySlot {
		k = format.RecoveryKey(k)
	}
	return k, err
}

func (s *Source) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("getting a key from the %s: %w", s.label, err)
}

// passphrase is the first line of a text.
func passphrase(text karbor.Secret) string {
	line, _, _ := strings.Cut(text.Reveal(), "\n")
	return strings.TrimSuffix(line, "\r")
}

func given(text karbor.Secret) func(context.Context) (karbor.Secret, error) {
	return func(context.Context) (karbor.Secret, error) { return text, nil }
}

// maxFile bounds what is read of a file with a key or a passphrase.
const maxFile = 64 << 10

func fromFile(path string) func(context.Context) (karbor.Secret, error) {
	return func(context.Context) (karbor.Secret, error) {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			return "", fmt.Errorf("%s is no file with a key", path)
		}
		text, err := os.ReadFile(path)
		return karbor.Secret(text), err
	}
}

// NewKey makes the text of a new key file, or of a new recovery key: 64 hexadecimal
// digits.
func NewKey() karbor.Secret {
	k := format.NewKey()
	return karbor.Secret(hex.EncodeToString(k[:]))
}

// WriteKeyFile makes a file with a new key that only its owner may read. One that is
// there already is left as it is: that is karbor.Conflict.
func WriteKeyFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-key-*")
	if err != nil {
		return fmt.Errorf("making the key file %s: %w", path, err)
	}
	_, err = f.WriteString(NewKey().Reveal() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		// Unlike a rename, a link never takes the place of another key.
		err = os.Link(f.Name(), path)
	}
	err = errors.Join(err, os.Remove(f.Name()))
	if errors.Is(err, os.ErrExist) {
		return karbor.Errorf(karbor.Conflict, "there is a file %s already", path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("making the key file %s: %w", path, err)
	}
	return nil
}

// syncFolder makes the names in a folder durable: a key must not go with the power when
// what it opens stays.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
