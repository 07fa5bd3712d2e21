// Package keyring keeps the key slots of a repository's domains, as
// docs/format/repository.md specifies them: it makes a domain with its slots, opens it
// through any of them, and adds, lists, replaces and removes slots without touching data.
// Removing all of them shreds the domain.
package keyring
