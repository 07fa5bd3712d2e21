// Package collection frees the space of a key domain that no stream refers to any more. It
// is the collector's part of the protocol by which any number of writers and one collector
// share a domain (docs/format/collection.md); package session is the writers'.
//
// A collection marks what the manifests reach, condemns the rest in an epoch, waits until every
// session knows that, marks again what was published meanwhile, and only then deletes what is
// neither reached nor kept. What can't be read stops it before anything is condemned: it never
// deletes what it can't prove to be unreachable.
package collection
