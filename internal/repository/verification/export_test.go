package verification

// Project and the others are for the tests that are outside of the package.
const Project = project

// The parts of a repository in a bank in memory.
var (
	NewDomain  = newDomain
	Reopen     = reopen
	ManifestOf = manifestOf
	Random     = random
)
