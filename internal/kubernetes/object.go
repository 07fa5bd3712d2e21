package kubernetes

import (
	"context"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/karbor/karbor"
)

// Kind is a kind of objects that a restore makes.
type Kind string

// The kinds, in the order in which a restore makes them.
const (
	VolumeKind Kind = "PersistentVolume"
	ClaimKind  Kind = "PersistentVolumeClaim"
	PodKind    Kind = "Pod"
)

// words are the kinds for tenants.
var words = map[Kind]string{VolumeKind: "persistent volume", ClaimKind: "claim", PodKind: "pod"}

// Object is one object of a cluster.
type Object struct{ *unstructured.Unstructured }

// Labelled reports whether the object has all the labels.
func (o Object) Labelled(labels map[string]string) bool {
	own := o.GetLabels()
	for k, v := range labels {
		if own[k] != v {
			return false
		}
	}
	return true
}

// in gives the collection of a kind. Persistent volumes are in no namespace.
func (k *Cluster) in(kind Kind, namespace string) dynamic.ResourceInterface {
	switch kind {
	case VolumeKind:
		return k.client.Resource(volumes)
	case ClaimKind:
		return k.client.Resource(claims).Namespace(namespace)
	default:
		return k.client.Resource(pods).Namespace(namespace)
	}
}

// Allows reports whether pods may be restored into a namespace.
func (k *Cluster) Allows(namespace string) bool { return slices.Contains(k.Namespaces, namespace) }

// Get gives an object of a name; karbor.NotFound if there is none.
func (k *Cluster) Get(ctx context.Context, kind Kind, namespace, name string) (Object, error) {
	if !IsName(name) {
		return Object{}, karbor.Errorf(karbor.Invalid, "%q can't be the name of a %s", name, words[kind])
	}
	o, err := k.in(kind, namespace).Get(quiet(ctx), name, metav1.GetOptions{})
	return Object{o}, explain(ctx, err, "reading the %s %s", words[kind], name)
}

// Create makes an object. There is one of the name already if IsTaken says so of the error.
func (k *Cluster) Create(ctx context.Context, kind Kind, namespace string, members map[string]any) error {
	o := &unstructured.Unstructured{Object: members}
	_, err := k.in(kind, namespace).Create(quiet(ctx), o, metav1.CreateOptions{})
	if err != nil && IsTaken(err) {
		return &takenError{explain(ctx, err, "making the %s %s", words[kind], o.GetName())}
	}
	return explain(ctx, err, "making the %s %s", words[kind], o.GetName())
}

// takenError says that the name of an object is taken.
type takenError struct{ error }

// Unwrap gives what is told of it.
func (e *takenError) Unwrap() error { return e.error }

// Labelled gives the objects of a kind that have all the labels. Of each there is only its
// name, its namespace, its uid, its labels, and when its end was asked for.
func (k *Cluster) Labelled(ctx context.Context, kind Kind, namespace string, labels map[string]string) ([]Object, error) {
	terms := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		terms = append(terms, name+"="+labels[name])
	}
	walking, w, cancel := k.walk(ctx)
	defer cancel()
	var out []Object
	ended, err := w.through(walking, k.in(kind, namespace), strings.Join(terms, ","), func(found *unstructured.Unstructured) bool {
		asked := Object{found}.Labelled(labels) && IsName(found.GetName())
		if asked {
			out = append(out, Object{slim(found, []string{"metadata", "name"}, []string{"metadata", "namespace"}, []string{"metadata", "uid"},
				[]string{"metadata", "labels"}, []string{"metadata", "deletionTimestamp"})})
		}
		return asked
	})
	if err != nil {
		return nil, explain(ctx, err, "looking for what was made of the kind %s", words[kind])
	}
	if !ended {
		return nil, karbor.Errorf(karbor.OverLimit, "the cluster has too many things of the kind %s", words[kind])
	}
	return out, nil
}

// Delete asks for the end of an object. One that is not there is no error.
func (k *Cluster) Delete(ctx context.Context, kind Kind, o Object) error {
	uid := o.GetUID()
	err := k.in(kind, o.GetNamespace()).Delete(quiet(ctx), o.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err = explain(ctx, err, "deleting the %s %s", words[kind], o.GetName()); err != nil && karbor.KindOf(err) == karbor.NotFound {
		return nil
	}
	return err
}
