// Package failure holds black-box tests of what goes wrong: bad requests, a cloud
// that fails, full disks, processes that die, two of everything. Each starts a real
// process of the service beside a simulated cloud, speaks to its API as a tenant,
// and compares states, reasons, logs and the cloud's inventory.
package failure
