// Package fabric is what the simulated OpenStack services of testcloud share:
// a store of JSON documents that survives kill -9, raw sparse files for bytes,
// timed state changes, authentication, routing with each service's own error
// bodies, quotas, and faults on request.
//
// A service is a type in a package of its own. Its constructor takes a
// [*Fabric], opens its collections with [NewCollection], makes a [*Service]
// with [NewService], adds its routes, and starts again the state changes that
// were under way when the last run ended.
//
// Locking: each collection call is atomic on its own. A sequence that has to
// be atomic (check a quota, then insert) runs inside [Fabric.Atomic].
// Everything here is safe for concurrent use.
package fabric
