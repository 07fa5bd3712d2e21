// Package upkeep looks after a bank without an operator's act: it frees the space of what was
// deleted, joins what has become small, and verifies a share of the data each day. A Keeper does
// so for one bank; how, its Policy says. What it goes by lies in the bank (tombstones, and the
// collectors' leases) and in a folder (what was verified), so nothing is forgotten over a restart,
// and several services on one bank don't do the same work twice. See
// docs/adr/0038-banks-look-after-themselves.md.
package upkeep
