// Package survey looks at a whole bank: what lies in it (Look), which streams a
// checkpoint has (Streams), and whether its parts fit together (Check). It reads only,
// needs no key, and bears any garbage that it finds between the objects.
package survey
