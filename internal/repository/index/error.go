package index

import "github.com/karbor/karbor"

// FolderError says that the cache's folder can't be written to: its disk is full, or read
// only. What the index knows already it still tells. It is transient for those who are not asked
// for more: another folder will do.
type FolderError struct {
	Folder string
	Cause  error
}

// Error implements error.
func (e *FolderError) Error() string {
	return "the index cache " + e.Folder + " can't be written: " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *FolderError) Unwrap() error { return e.Cause }

// As gives the error as the tenant sees it, if asked for a *karbor.Error.
func (e *FolderError) As(target any) bool {
	t, ok := target.(**karbor.Error)
	if ok {
		*t = karbor.Transientf("the service has no space for an index cache; the operator's log has the details")
	}
	return ok
}
