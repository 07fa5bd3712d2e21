package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// kinds are the resources that Put and the others know, in an order in which they can be
// removed.
var kinds = []string{"pods", "persistentvolumeclaims", "persistentvolumes"}

// in gives a resource of core/v1; "" stands for all namespaces.
func (s *Server) in(resource, namespace string) dynamic.ResourceInterface {
	of := s.admin.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource})
	if namespace == "" {
		return of
	}
	return of.Namespace(namespace)
}

// at takes a path as "namespaces/shop/pods/web" or "persistentvolumes/pv" apart.
func at(path string) (resource, namespace, name string) {
	parts := strings.Split(path, "/")
	if len(parts) == 4 {
		return parts[2], parts[1], parts[3]
	}
	return parts[0], "", parts[len(parts)-1]
}

// patience is how long something may take that the server does by itself.
const patience = time.Minute

// until waits until done says yes.
func until(ctx context.Context, what string, done func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := done(ctx)
		if err == nil && ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, errors.Join(err, ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Put puts an object there, or replaces it, with the status that it has; its namespace is
// made if need be. A claim that names its volume is there, and bound, when Put gives back,
// if the volume is there.
func (s *Server) Put(ctx context.Context, path string, members map[string]any) error {
	resource, namespace, name := at(path)
	if namespace != "" {
		if err := s.namespace(ctx, namespace); err != nil {
			return err
		}
	}
	o, err := fresh(members)
	if err != nil {
		return err
	}
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	delete(o.Object, "status")
	made, err := s.write(ctx, resource, namespace, o)
	if err != nil {
		return fmt.Errorf("putting %s: %w", path, err)
	}
	switch resource {
	case "pods":
		s.mu.Lock()
		s.put[string(made.GetUID())] = true
		s.mu.Unlock()
		phase, _ := status["phase"].(string)
		return until(ctx, "the phase of "+path, func(ctx context.Context) (bool, error) {
			now, err := s.in(resource, namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			if got, _, _ := unstructured.NestedString(now.Object, "status", "phase"); got == phase {
				return true, nil
			}
			s.phase(ctx, now, phase)
			return false, nil
		})
	case "persistentvolumeclaims":
		return until(ctx, path+" to be bound", func(ctx context.Context) (bool, error) {
			now, err := s.in(resource, namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			phase, _, _ := unstructured.NestedString(now.Object, "status", "phase")
			return phase == "Bound", nil
		})
	}
	return nil
}

// fresh copies an object without what only the server writes. Whom a persistent volume is
// bound to is left to the server, too.
func fresh(members map[string]any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	o.SetUID("")
	o.SetResourceVersion("")
	o.SetManagedFields(nil)
	o.SetCreationTimestamp(metav1.Time{})
	unstructured.RemoveNestedField(o.Object, "spec", "claimRef", "uid")
	// It would take these for its own notes, and not bind the two.
	for _, note := range []string{"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"} {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", note)
	}
	return o, nil
}

// write makes an object, or replaces it.
func (s *Server) write(ctx context.Context, resource, namespace string, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	made, err := s.in(resource, namespace).Create(ctx, o, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return made, err
	}
	now, err := s.in(resource, namespace).Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	o.SetResourceVersion(now.GetResourceVersion())
	made, err = s.in(resource, namespace).Update(ctx, o, metav1.UpdateOptions{})
	if !apierrors.IsInvalid(err) {
		return made, err
	}
	// It can't be changed: another takes its place.
	if err := s.Remove(ctx, strings.TrimPrefix("namespaces/"+namespace+"/"+resource+"/"+o.GetName(), "namespaces//")); err != nil {
		return nil, err
	}
	o.SetResourceVersion("")
	return s.in(resource, namespace).Create(ctx, o, metav1.CreateOptions{})
}

// namespace makes a namespace, and waits until pods can be made in it.
func (s *Server) namespace(ctx context.Context, name string) error {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	if _, err := s.in("namespaces", "").Create(ctx, o, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return until(ctx, "the service account of namespace "+name, func(ctx context.Context) (bool, error) {
		_, err := s.in("serviceaccounts", name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
}

// Get gives an object; nil if it is not there.
func (s *Server) Get(ctx context.Context, path string) (map[string]any, error) {
	resource, namespace, name := at(path)
	if name == "" {
		return nil, nil
	}
	o, err := s.in(resource, namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return o.Object, nil
}

// Remove removes an object, and waits until it is gone. One that others use stays until
// they are gone, too: remove them first.
func (s *Server) Remove(ctx context.Context, path string) error {
	resource, namespace, name := at(path)
	zero := int64(0)
	return until(ctx, path+" to be gone", func(ctx context.Context) (bool, error) {
		err := s.in(resource, namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &zero})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// Inventory gives the paths of all pods, claims and persistent volumes, in order.
func (s *Server) Inventory(ctx context.Context) ([]string, error) {
	out := []string{}
	for _, resource := range kinds {
		all, err := s.in(resource, "").List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range all.Items {
			path := resource + "/" + all.Items[i].GetName()
			if n := all.Items[i].GetNamespace(); n != "" {
				path = "namespaces/" + n + "/" + path
			}
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Clear removes all pods, claims and persistent volumes, and what Ends and Kubeconfig have
// said.
func (s *Server) Clear(ctx context.Context) error {
	s.mu.Lock()
	clear(s.phases)
	clear(s.put)
	s.mu.Unlock()
	all, err := s.Inventory(ctx)
	if err != nil {
		return err
	}
	of := maps.Collect(func(yield func(string, int) bool) {
		for i, kind := range kinds {
			if !yield(kind, i) {
				return
			}
		}
	})
	rank := func(path string) int { resource, _, _ := at(path); return of[resource] }
	slices.SortStableFunc(all, func(a, b string) int { return rank(a) - rank(b) })
	for _, path := range all {
		if err := s.Remove(ctx, path); err != nil {
			return err
		}
	}
	for _, t := range s.tokens {
		if err := s.revoke(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
