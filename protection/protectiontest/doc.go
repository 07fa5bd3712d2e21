// Package protectiontest is the suite that every protection plug-in passes. It
// runs the hooks against a cloud in the contract's order, with a bank and scratch
// records in memory, and checks the round trip, that each hook can run twice, that
// a process may die at any call to the cloud, that Undo leaves nothing behind, and
// that the schemas hold what they promise.
package protectiontest

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Case is a plug-in, one of its types, and a cloud to try it on.
type Case struct {
	Plugin protection.Plugin
	Type   karbor.ResourceType
	// Session opens a session in the tenant's name, all of whose requests go
	// through client. It is called once.
	Session func(t *testing.T, client *http.Client) karbor.Cloud
	// Service opens a session as an administrator; nil for none.
	Service func(t *testing.T, client *http.Client) karbor.Cloud
	// Make creates a source in the cloud, by another session than Session's.
	Make func(t *testing.T) Source
	// Installation names the Karbor that the calls are of; "" stands for one of the suite's.
	Installation string
	// Inventory lists what the tenant has in the cloud, one line for each thing,
	// in a fixed order. Two equal inventories mean that nothing was left behind.
	Inventory func(t *testing.T) []string
	// Data makes an empty repository for the bulk data of one checkpoint's node; nil
	// stands for one in memory.
	Data func(t *testing.T) protection.Repository
	// Transport is the way to the cloud; nil stands for http.DefaultTransport.
	Transport http.RoundTripper
	// Keeps is how many things of the inventory each checkpoint keeps in the cloud; 0
	// for a plug-in that keeps all in the bank. Such a plug-in has hooks for delete.
	Keeps int
	// ChangesOnly limits the kills to calls that change something (no GET), for
	// a type whose round trip takes seconds.
	ChangesOnly bool
	// Markless reports whether a line of the inventory is of a thing that can't bear the mark
	// of what is not finished from its birth on. Nil: all bear it.
	Markless func(line string) bool
}

// Source is a resource to protect.
type Source struct {
	// Graph holds it and what it depends on; Key is its own.
	Graph *karbor.Graph
	Key   karbor.NodeKey
	// Options and Restore are the parameters of the operations.
	Options, Restore map[string]any
	// Destroy removes the source from the cloud. Where the cloud refuses that, since
	// what a checkpoint keeps hangs on the source, it spoils the source.
	Destroy func(t *testing.T)
	// Lose removes from the cloud all that checkpoints of the source keep there, behind
	// their back; nil if they keep nothing.
	Lose func(t *testing.T)
	// Children makes, for one restore, what the restores of the other nodes make;
	// nil for none. remove, which may be nil, takes it away again.
	Children func(t *testing.T) (restored Restored, remove func(t *testing.T))
	// Check compares the restored resource with the original as it was.
	Check func(t *testing.T, restored Restored)
}

// Restored says what restores have made.
type Restored struct {
	// ID is the new id of the node that is tested.
	ID string
	// Nodes are the new ids of the other nodes; Parts of what is no node.
	Nodes map[karbor.NodeKey]string
	Parts map[string]string
	// NotKept and Mapped are the sentences for the tenant.
	NotKept, Mapped []string
}
