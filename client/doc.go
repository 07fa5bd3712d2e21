// Package client is the Go client of Karbor's REST API, version 1: plans,
// providers, protectables, checkpoints, restores, verifications, copies, triggers,
// scheduled operations, operation logs, quotas, quota classes, services and the
// registered application credential.
//
// A [Client] is made by [New] from an endpoint and something that gives tokens;
// package client/keystone gives both:
//
//	session, err := keystone.Login(ctx, credentials, http.DefaultClient)
//	endpoint, err := session.Endpoint()
//	c, err := client.New(client.Options{Endpoint: endpoint, Tokens: session, HTTP: http.DefaultClient})
//
// Each resource is a member of the client, with the methods that it has: List, Show,
// Create, Update, Delete. Every method takes a context, which ends it.
//
// # Lists
//
// List gives an iterator that gets page after page while it is used; it ends with the
// first error. [ListOptions] has the order, the filters and the bounds.
//
// # Operations
//
// Protecting, restoring, verifying, copying and deleting a checkpoint go on in the
// service after Create or Delete has returned. What Create gives is durable; Show
// tells how far it is, and Status how it ended.
//
// # What is tried again
//
// A token that the service refuses is renewed once. A GET or a create that meets a
// connection error, 429, 502, 503 or 504 is tried again, after the time that the
// service asks for. Each create has an Idempotency-Key, the same for all its attempts,
// so that nothing is made twice; see [WithIdempotencyKey]. A service that knows no such
// key, the original Karbor, gets one attempt only. Nothing else is tried again.
//
// # Errors
//
// What the service refuses is an [*Error] with the HTTP status and the request's id,
// by which an operator finds it in the log. errors.As finds the [*karbor.Error] with
// the kind in every error of the service, and karbor.KindOf gives the kind:
// karbor.NotFound, karbor.Conflict, karbor.OverLimit and so on.
//
// # Versions
//
// Every request asks for [Microversion]. A service that is older is asked for its own
// newest one; what it does not know is then missing in its answers. The original
// Karbor works too.
//
// All types are safe for concurrent use, except iterators.
package client
