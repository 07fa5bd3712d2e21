// Package model checks the protocol by which writers and a collector share a key
// domain (docs/format/collection.md), before and beside the code that follows it: its
// tests walk through every interleaving of a small domain, with writers that crash and
// lapse, a collector that crashes, listings that lag, and checkpoints that are deleted
// meanwhile. No state may be reached in which a published stream refers to a pack that
// is gone.
package model
