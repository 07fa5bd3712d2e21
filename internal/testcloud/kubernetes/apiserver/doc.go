// Package apiserver runs a real Kubernetes API server for tests: kube-apiserver and the
// controllers that matter to pods' volumes, both built from their own modules (see
// test/kubernetes), on Debian's etcd, all on the loopback interface with certificates made
// for the occasion. What tests do with it is what they do with the simulated one
// (internal/testcloud/kubernetes): put, get and remove objects, and hand out kubeconfigs.
//
// It has no nodes. A goroutine stands in for the kubelet: it makes a pod Running, or what
// Ends says, and lets a pod that is to go be gone; and Put sets the phase of what it puts.
// Everything else is the real thing: authentication, RBAC, validation, defaults, admission,
// conflicts, finalizers, and the binding of claims to persistent volumes. There is no CSI
// driver: volumes are not attached, and nothing deletes those that a released persistent
// volume stood for.
package apiserver
