// Package client is the Go client of Karbor's REST API, version 1: plans,
// providers, protectables, checkpoints, restores, triggers, scheduled operations,
// operation logs, services and what else there is.
//
// A [Client] is made by [New] from an endpoint and something that gives
// tokens; package client/keystone gives both. A token that the service refuses
// is renewed once. A GET that meets a connection error or a 502, 503 or 504 is
// tried again; nothing else is. Errors are [*Error] values, and errors.As
// finds the [*karbor.Error] with the kind in them.
//
// All types are safe for concurrent use, except iterators.
package client
