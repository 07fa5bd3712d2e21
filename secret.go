package karbor

import "log/slog"

// Secret is a text that must not be seen: a password, a token, a key. It
// prints as *** in every format, log and JSON document. Reveal is the only way
// to its content.
type Secret string

const masked = "***"

// Reveal returns the content, for the one place that hands it on.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string { return masked }

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return masked }

// MarshalText implements encoding.TextMarshaler, and so JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }
