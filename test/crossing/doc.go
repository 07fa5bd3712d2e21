// Package crossing restores from one simulated cloud into another, and from one project
// into another, with the whole service and its real plug-ins: only the bank is shared. It
// has whole projects destroyed and brought back, and members of others try what they can't.
package crossing
