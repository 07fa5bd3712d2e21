// Package repository keeps the bulk data of checkpoints in a bank. It writes the
// deduplicating form repository/1 (docs/format/repository.md) through the key domains
// of the bank, or chunks/1 where there are no keys, and reads both for ever.
package repository
