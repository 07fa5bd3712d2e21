// Package isolation proves that one tenant learns nothing of another: every route of
// the API is called with the ids of another tenant's things, and nothing in the
// answers, nor in what they cost, differs from what an unknown id gives.
package isolation
