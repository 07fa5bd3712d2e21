// Package crossing restores from one simulated cloud into another, and from one project
// into another, with the whole service and its real plug-ins: only the bank is shared.
package crossing
