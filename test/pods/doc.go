// Package pods tries the protection of a project with pods of a Kubernetes cluster through
// the whole service.
package pods
