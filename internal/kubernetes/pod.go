package kubernetes

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/karbor/karbor"
)

// namespacePattern is an RFC 1123 label.
var namespacePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// namePattern is an RFC 1123 subdomain, which pods are named by.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// IsNamespace reports whether text can be the name of a namespace.
func IsNamespace(text string) bool { return namespacePattern.MatchString(text) }

// IsName reports whether text can be the name of a pod or a claim.
func IsName(text string) bool { return len(text) <= 253 && namePattern.MatchString(text) }

// Pod is a pod of a cluster, with all its members.
type Pod struct{ *unstructured.Unstructured }

// PodID gives the id by which Karbor knows a pod: a UUID of version 5 (RFC 9562) of its
// namespace and name, as the service in Python makes it. A pod that takes another's place
// under its name has the same.
func PodID(namespace, name string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(namespace+":"+name)).String()
}

// ID is the id by which Karbor knows the pod.
func (p Pod) ID() string { return PodID(p.GetNamespace(), p.GetName()) }

// Title is the pod's name as a tenant sees it: "namespace:name".
func (p Pod) Title() string { return p.GetNamespace() + ":" + p.GetName() }

// Phase is where the pod is in its life: "Running", say.
func (p Pod) Phase() string {
	phase, _, _ := unstructured.NestedString(p.Object, "status", "phase")
	return phase
}

// Unfit says why a pod can't be protected: its phase, or "Terminating"; "" if it can.
func (p Pod) Unfit() string {
	if p.GetDeletionTimestamp() != nil {
		return "Terminating"
	}
	if phase := p.Phase(); phase != "Running" && phase != "Succeeded" {
		return cmp.Or(phase, "Unknown")
	}
	return ""
}

// Pods gives the pods of the cluster's namespaces, in the order of their ids. Of each
// there is only its name, its namespace, when its end was asked for, and its phase.
func (k *Cluster) Pods(ctx context.Context) ([]Pod, error) {
	walking, w, cancel := k.walk(ctx)
	defer cancel()
	var out []Pod
	for _, namespace := range k.Namespaces {
		ended, err := w.through(walking, k.client.Resource(pods).Namespace(namespace), "", func(o *unstructured.Unstructured) bool {
			// The server is not to be trusted with the rest.
			sane := o.GetNamespace() == namespace && IsName(o.GetName())
			if sane {
				out = append(out, Pod{slim(o, []string{"metadata", "name"}, []string{"metadata", "namespace"},
					[]string{"metadata", "deletionTimestamp"}, []string{"status", "phase"})})
			}
			return sane
		})
		if err != nil {
			return nil, explain(ctx, err, "listing the pods of namespace %s", namespace)
		}
		if !ended {
			return nil, karbor.Errorf(karbor.OverLimit, "the cluster has too many pods: those of the namespaces up to %s are more than are looked at", namespace)
		}
	}
	slices.SortFunc(out, func(a, b Pod) int { return strings.Compare(a.ID(), b.ID()) })
	return out, nil
}

// Pod gives the pod of an id in the cluster's namespaces, whole; karbor.NotFound if there
// is none. title, if it is the pod's (see Title), spares the walk through all pods: the id
// is made of it, so that it can be proven. Without, or with any other text, they are listed.
func (k *Cluster) Pod(ctx context.Context, id, title string) (Pod, error) {
	namespace, name, _ := strings.Cut(title, ":")
	if PodID(namespace, name) != id || !k.Allows(namespace) {
		all, err := k.Pods(ctx)
		if err != nil {
			return Pod{}, err
		}
		at := slices.IndexFunc(all, func(p Pod) bool { return p.ID() == id })
		if at < 0 {
			return Pod{}, karbor.Errorf(karbor.NotFound, "there is no pod %s in the namespaces %s", id, strings.Join(k.Namespaces, ", "))
		}
		namespace, name = all[at].GetNamespace(), all[at].GetName()
	}
	o, err := k.Get(ctx, PodKind, namespace, name)
	if err != nil {
		return Pod{}, err
	}
	p := Pod(o)
	if p.ID() != id {
		return Pod{}, karbor.Errorf(karbor.Unavailable, "the cluster gives another pod than %s:%s", namespace, name)
	}
	return p, nil
}

// Waiting says why a pod does not run yet, as far as the cluster tells; "" if it does not.
func (p Pod) Waiting() string {
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		all, _, _ := unstructured.NestedSlice(p.Object, "status", list)
		for _, one := range all {
			c, _ := one.(map[string]any)
			reason, _, _ := unstructured.NestedString(c, "state", "waiting", "reason")
			name, _, _ := unstructured.NestedString(c, "name")
			if reason != "" && reason != "PodInitializing" && reason != "ContainerCreating" {
				return brief("container " + name + ": " + reason)
			}
		}
	}
	all, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
	for _, one := range all {
		c, _ := one.(map[string]any)
		if message, _ := c["message"].(string); c["status"] == "False" && message != "" {
			return brief(message)
		}
	}
	return ""
}

// brief shortens what a cluster says.
func brief(text string) string {
	const longest = 200
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
