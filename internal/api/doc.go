// Package api is the one road of a request: recover, request id, access line,
// Keystone, project, policy, body schema, handler, and the answer or the fault in
// the words of the wire contract (docs/api). What is served is a list of Route
// values, one room of v1 per resource.
package api
