// Package docs holds the documentation to what it says: the tests run the commands
// that the pages show against a karbord that they start, and check the files that
// they print.
//
// A block of the kind console is run, command by command: each line that begins with
// "$ " is one (a line that ends in a backslash goes on), and the lines below it are
// what it prints, to standard output and standard error. In these, "…" stands for any
// text of a line, a line "…" for any lines, and runs of spaces and of hyphens may be of any
// length, as ids and tables are as long as they are. Without lines below, anything may be printed. A
// command ends with status 0, unless the block prints the status itself ("; echo $?").
//
// A block that can't be run is marked on the line before it, with the reason:
//
//	<!-- not run: it needs a second cloud -->
//
// What a page needs before its first block, and its readers have anyway, stands in
//
//	<!-- run first:
//	commands
//	-->
//
// The tenants' folder /tmp/karbor-dev is that of the test's own karbord. Blocks of the
// kind yaml in the operators' pages are checked by karbord: as a provider file, a
// policy file or the configuration.
//
// A block of the pages for plug-in authors quotes a file of the tree, which the line before it names:
//
//	<!-- from examples/dnszone/protect.go -->
//
// Its lines are in the file one below the other, whatever their indentation; a line "…" stands for lines
// that are left out.
package docs
