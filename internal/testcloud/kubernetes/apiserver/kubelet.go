package apiserver

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Ends has pods of a name come into a phase in place of Running: Failed, or Pending for
// ever.
func (s *Server) Ends(name, phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases[name] = phase
}

// startKubelet starts the goroutine that stands in for the kubelet. Close waits for it.
// The context bounds the start alone.
func (s *Server) startKubelet(ctx context.Context) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopping = stop
	s.kubelet.Go(func() {
		for ctx.Err() == nil {
			// What fails is tried again at the next round.
			if all, err := s.in("pods", "").List(ctx, metav1.ListOptions{}); err == nil {
				for i := range all.Items {
					s.live(ctx, &all.Items[i])
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// live lets a pod go on.
func (s *Server) live(ctx context.Context, pod *unstructured.Unstructured) {
	if pod.GetDeletionTimestamp() != nil {
		zero := int64(0)
		_ = s.in("pods", pod.GetNamespace()).Delete(ctx, pod.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &zero})
		return
	}
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	s.mu.Lock()
	next := s.phases[pod.GetName()]
	left := s.put[string(pod.GetUID())] || phase != "Pending" || next == "Pending"
	s.mu.Unlock()
	if left || !s.mounted(ctx, pod) {
		return
	}
	if next == "" {
		next = "Running"
	}
	s.phase(ctx, pod, next)
}

// mounted reports whether all claims of a pod are bound: without, a kubelet starts nothing.
func (s *Server) mounted(ctx context.Context, pod *unstructured.Unstructured) bool {
	volumes, _, _ := unstructured.NestedSlice(pod.Object, "spec", "volumes")
	for _, one := range volumes {
		v, _ := one.(map[string]any)
		name, _, _ := unstructured.NestedString(v, "persistentVolumeClaim", "claimName")
		if name == "" {
			continue
		}
		claim, err := s.in("persistentvolumeclaims", pod.GetNamespace()).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		if phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase"); phase != "Bound" {
			return false
		}
	}
	return true
}

// phase writes a pod's phase, as a kubelet does.
func (s *Server) phase(ctx context.Context, pod *unstructured.Unstructured, phase string) {
	next := pod.DeepCopy()
	if unstructured.SetNestedField(next.Object, phase, "status", "phase") == nil {
		_, _ = s.in("pods", pod.GetNamespace()).UpdateStatus(ctx, next, metav1.UpdateOptions{})
	}
}
