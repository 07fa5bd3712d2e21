// Package dedup keeps streams in a bank as docs/format/repository.md specifies it
// (repository/1): each chunk of bytes is stored once in its key domain, compressed and
// encrypted, in immutable packs.
package dedup
