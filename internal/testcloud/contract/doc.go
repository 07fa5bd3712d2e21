// Package contract is what a product may expect of an OpenStack cloud, as one
// suite of tests that runs unchanged against the simulated cloud of testcloud
// and against a real one. What it asks was first seen in the answers of a real
// OpenStack (Zed); so the simulator is as good as this suite is long.
//
// [Run] speaks HTTP: raw requests where statuses and bodies matter, gophercloud
// where it matters that a client can decode what it gets. Everything that it
// makes has a random prefix in its name and is removed at the end of the test
// that made it, also when that test fails.
//
// Where the simulator differs from the real cloud on purpose, the file
// differences.yaml says so, and the suite asks [Target.Difference].
package contract
