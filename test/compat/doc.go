// Package compat holds the conformance suite: the programs and the library that
// speak to Karbor already (Debian's python3-openstackclient and
// python3-karborclient) drive karbord beside its simulated cloud. It is run with
// the build tag compat, by "make test-compat".
//
// The cases are scripts below testdata/script. Each command of both shells must
// have cases that work and cases that are refused; the list of commands is that of
// the installed packages.
package compat
