// Package index keeps the index of a repository in a folder on disk, so that it needs
// little memory: it is a dedup.Index of about 10 bits of memory a chunk.
//
// What is added lies in memory first and is then written into runs: files of entries in
// the order of their ids, with a filter each. A run never changes; the background merges
// several into one. The filter is an Elias-Fano list of the ids' first bits with a
// fingerprint of 8 bits more: it lets one id in 256 through that the run does not have,
// and tells the place of the entry, so that a look-up reads one block of one run.
//
// The folder is a cache. It holds ids, which are keyed hashes, and names of packs; it
// never tells more than the bank's index segments told, and when it is damaged, or
// another repository's, it is thrown away and read from the bank again.
package index
