// Package format is the byte layouts of the repository, as docs/format/repository.md
// specifies them: boxes, groups, packs, recipes, index segments, slots and manifests.
// It reads and writes bytes in memory, and knows nothing of banks.
//
// What it decodes may come from an enemy: a decoder gives an error that is a
// *DamageError, or what the specification allows; it never panics, and never allocates
// more than a limit of the specification.
package format
