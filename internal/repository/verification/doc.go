// Package verification finds out whether the data of a key domain is still what was
// written (docs/format/repository.md), and puts good bytes in the place of damaged
// ones.
//
// It looks as deep as it is asked to. What it claims at a depth it has looked at: at Quick
// that all that streams refer to is in the index and that the packs are there with
// their size; at Stored that their bytes have the packs' names, which needs no key; at Full
// that every chunk decrypts, decompresses and has its id. The recipes of streams are read
// at every depth.
//
// The unit is the pack: one that was looked at counts for all streams that refer to it, and
// State remembers when that was. Damage is told by pack and chunk, and by the streams that
// it hurts.
package verification
