package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// user is the name of the user of a token.
func user(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "tenant-" + hex.EncodeToString(sum[:4])
}

// verbs are what a tenant's user needs, as the documentation for tenants says.
var verbs = []any{"get", "list", "create", "delete"}

// rbac gives a resource of the API of roles.
func (s *Server) rbac(resource, namespace string) dynamic.ResourceInterface {
	of := s.admin.Resource(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: resource})
	if namespace == "" {
		return of
	}
	return of.Namespace(namespace)
}

// grant lets a token's user do in a namespace what the documentation asks for, and no more;
// "" stands for what it asks for in the whole cluster.
func (s *Server) grant(ctx context.Context, token, namespace string) error {
	kind, resources := "Role", []any{"pods", "persistentvolumeclaims"}
	if namespace == "" {
		kind, resources = "ClusterRole", []any{"persistentvolumes"}
	}
	plural := func(kind string) string { return strings.ToLower(kind) + "s" }
	role := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": map[string]any{"name": user(token)},
		"rules": []any{map[string]any{"apiGroups": []any{""}, "resources": resources, "verbs": verbs}}}}
	binding := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind + "Binding", "metadata": map[string]any{"name": user(token)},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user(token)},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user(token)}}}}
	for resource, o := range map[string]*unstructured.Unstructured{plural(kind): role, plural(kind + "Binding"): binding} {
		if _, err := s.rbac(resource, namespace).Create(ctx, o, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("granting: %w", err)
		}
	}
	return s.settled(ctx, token, namespace, true)
}

// revoke takes all rights from a token's user.
func (s *Server) revoke(ctx context.Context, token string) error {
	for _, resource := range []string{"rolebindings", "roles", "clusterrolebindings", "clusterroles"} {
		all, err := s.rbac(resource, "").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + user(token)})
		if err != nil {
			return err
		}
		for i := range all.Items {
			o := &all.Items[i]
			if err := s.rbac(resource, o.GetNamespace()).Delete(ctx, o.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			if resource == "rolebindings" {
				if err := s.settled(ctx, token, o.GetNamespace(), false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// settled waits until the server knows of a change of rights.
func (s *Server) settled(ctx context.Context, token, namespace string, allowed bool) error {
	resource := "pods"
	if namespace == "" {
		resource = "persistentvolumes"
	}
	reviews := s.admin.Resource(schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "subjectaccessreviews"})
	ask := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": map[string]any{
		"user": user(token), "resourceAttributes": map[string]any{"namespace": namespace, "verb": "create", "resource": resource}}}}
	return until(ctx, "the rights of a user", func(ctx context.Context) (bool, error) {
		answer, err := reviews.Create(ctx, ask, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		got, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
		return got == allowed, nil
	})
}

// Kubeconfig lets one of the Options' tokens into namespaces, which are made if need be, and
// nowhere else, and gives the kubeconfig that has it, with a context for each.
func (s *Server) Kubeconfig(ctx context.Context, token string, namespaces ...string) (string, error) {
	if !slices.Contains(s.tokens, token) {
		return "", fmt.Errorf("the server was not started with the token %q", token)
	}
	if err := s.revoke(ctx, token); err != nil {
		return "", err
	}
	for _, n := range namespaces {
		if err := s.namespace(ctx, n); err != nil {
			return "", err
		}
		if err := s.grant(ctx, token, n); err != nil {
			return "", err
		}
	}
	if err := s.grant(ctx, token, ""); err != nil {
		return "", err
	}
	return s.kubeconfig("token: "+token, namespaces), nil
}

// kubeconfig writes one for a user of these members.
func (s *Server) kubeconfig(members string, namespaces []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: %s\nclusters:\n- name: shop\n  cluster:\n    server: %s\n    certificate-authority-data: %s\n",
		namespaces[0], s.URL, base64.StdEncoding.EncodeToString(s.authority.PEM))
	fmt.Fprintf(&b, "users:\n- name: karbor\n  user:\n    %s\ncontexts:\n", members)
	for _, n := range namespaces {
		fmt.Fprintf(&b, "- name: %s\n  context: {cluster: shop, user: karbor, namespace: %s}\n", n, n)
	}
	return b.String()
}
