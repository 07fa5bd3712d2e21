// Package karbor is the vocabulary of the service: resources and their graph,
// plans, checkpoints, restores, operation logs, their states, and the kinds of
// errors. It imports the standard library only, so that every other package,
// the client included, can speak in its words.
package karbor
