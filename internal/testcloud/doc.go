// Package testcloud is a small simulated OpenStack: Keystone, Glance, Cinder,
// Nova, Neutron, Manila and Trove behind one real HTTP listener, with state and real bytes in
// a folder. It answers openstackclient and gophercloud as the real services
// do, takes time over state changes, and goes wrong on request.
// Servers and volumes have two availability zones, nova and north. A further region is one more cloud, with the
// Keystone of the first: see Options.Home.
//
// It is a test double and the demo cloud of "karbord dev". It is not secure:
// passwords are kept as plain text, and nothing is encrypted on the wire.
package testcloud
