// Package session is a writer's part in the protocol by which any number of writers and
// one collector share a key domain (docs/format/collection.md): a record in the bank that is
// renewed while its process writes, and tells the collector what must stay.
//
// It is the dedup.Session of a dedup.Domain. The documents that both sides read, records of
// sessions and epochs, are here too.
package session
