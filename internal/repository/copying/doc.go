// Package copying copies streams from one key domain to another, mostly in another bank.
//
// Where both have one master key and one repository id (see Twin), what is stored travels as it
// is: whole packs under their names, or single groups in new packs. Only what the target does
// not have yet does. Elsewhere a stream is read and written anew, under the other key.
//
// A stream's manifest is written last. What was copied before a copy was broken off is found by
// the next one.
package copying
