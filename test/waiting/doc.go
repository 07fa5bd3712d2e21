// Package waiting tries what operations on the simulated cloud wait for, and what they hold of
// a tenant's quota meanwhile. Run its benchmark with `make bench-waiting`.
package waiting
