// Package kubernetes is a small Kubernetes API server for tests: pods, persistent volume
// claims and persistent volumes of core/v1, over HTTPS. A pod becomes Running the second
// time that it is looked at, a claim is bound as soon as its volume is there, and what a
// real server adds to a pod it adds, too. Source: the Kubernetes API reference.
//
// It differs from a real one (see the package apiserver below, on which the same tests run)
// in this: it knows no quotas, admission plug-ins, watches or grace periods, and checks of an
// object little more than its name. It takes an object with whatever status it is put with.
// A claim is bound at once, also to a persistent volume that is another's. Nothing has
// finalizers: a claim goes although a pod uses it, and a persistent volume although a claim
// is bound to it, where a real one keeps both until the user is gone; and a persistent
// volume whose claim is gone stays as it is, where it would be Released.
package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// object is an object of the API.
type object = map[string]any

// Server is a running API server. It is safe for concurrent use.
type Server struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string]object   // by path
	grants  map[string][]string // namespaces by token
	phases  map[string]string   // what becomes of pods by name, in place of Running
	version int
}

// Start starts a server. Close ends it.
func Start() *Server {
	s := &Server{objects: map[string]object{}, grants: map[string][]string{}, phases: map[string]string{}}
	s.Server = httptest.NewTLSServer(s)
	return s
}

// CA gives the certificate that proves the server, as PEM.
func (s *Server) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// Kubeconfig lets a token into namespaces and gives the kubeconfig that has it, with a
// context for each.
func (s *Server) Kubeconfig(token string, namespaces ...string) string {
	s.mu.Lock()
	s.grants[token] = namespaces
	s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: %s\nclusters:\n- name: shop\n  cluster:\n    server: %s\n    certificate-authority-data: %s\n",
		namespaces[0], s.URL, base64.StdEncoding.EncodeToString(s.CA()))
	fmt.Fprintf(&b, "users:\n- name: karbor\n  user:\n    token: %s\ncontexts:\n", token)
	for _, n := range namespaces {
		fmt.Fprintf(&b, "- name: %s\n  context: {cluster: shop, user: karbor, namespace: %s}\n", n, n)
	}
	return b.String()
}

// Ends has pods of a name come into a phase in place of Running: Failed, or Pending for
// ever.
func (s *Server) Ends(name, phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases[name] = phase
}

// Put puts an object there, or replaces it. path is as in the API, such as
// "namespaces/shop/pods/web".
func (s *Server) Put(path string, o map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = s.born(o)
}

// Get gives an object; nil if it is not there.
func (s *Server) Get(path string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copied(s.objects[path])
}

// Remove removes an object.
func (s *Server) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, path)
}

// Inventory gives the paths of all objects, in order.
func (s *Server) Inventory() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted("")
}

// sorted gives the paths below a prefix. The caller holds the lock.
func (s *Server) sorted(prefix string) []string {
	out := []string{}
	for path := range s.objects {
		if strings.HasPrefix(path, prefix) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func copied(o object) object {
	if o == nil {
		return nil
	}
	// What is kept came out of JSON, so that this can't fail.
	text, _ := json.Marshal(o)
	var out object
	_ = json.Unmarshal(text, &out)
	return out
}

func metadata(o object) object {
	m, _ := o["metadata"].(object)
	return m
}

// born gives an object what a server gives to a new one. The caller holds the lock.
func (s *Server) born(o object) object {
	o = copied(o)
	s.version++
	m := metadata(o)
	if m == nil {
		m = object{}
		o["metadata"] = m
	}
	m["uid"], m["resourceVersion"] = uuid.NewString(), strconv.Itoa(s.version)
	m["creationTimestamp"] = time.Unix(1_780_000_000, 0).UTC().Format(time.RFC3339)
	m["managedFields"] = []any{object{"manager": "karbor", "operation": "Update"}}
	return o
}

// status is an error of the API.
type status struct {
	code    int
	reason  string
	message string
}

func (e status) write(w http.ResponseWriter) {
	answer(w, e.code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": e.code, "reason": e.reason, "message": e.message})
}

func answer(w http.ResponseWriter, code int, o object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o)
}

// kinds are the resources that there are.
var kinds = map[string]string{"pods": "Pod", "persistentvolumeclaims": "PersistentVolumeClaim", "persistentvolumes": "PersistentVolume"}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	namespaces, known := s.grants[token]
	if !known {
		status{http.StatusUnauthorized, "Unauthorized", "Unauthorized"}.write(w)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	parts := strings.Split(path, "/")
	if parts[0] == "namespaces" && len(parts) > 2 {
		if !slices.Contains(namespaces, parts[1]) {
			status{http.StatusForbidden, "Forbidden", fmt.Sprintf("%s is forbidden: User \"karbor\" cannot use resource in the namespace %q", parts[2], parts[1])}.write(w)
			return
		}
		parts = parts[2:]
	}
	kind := kinds[parts[0]]
	switch {
	case kind == "" || len(parts) > 2:
		status{http.StatusNotFound, "NotFound", "the server could not find the requested resource"}.write(w)
	case len(parts) == 1 && r.Method == http.MethodGet:
		s.list(w, r, kind, path)
	case len(parts) == 1 && r.Method == http.MethodPost:
		s.create(w, r, kind, path)
	default:
		s.one(w, r, parts, path)
	}
}

// one answers a request for one object. The caller holds the lock.
func (s *Server) one(w http.ResponseWriter, r *http.Request, parts []string, path string) {
	o := s.objects[path]
	switch {
	case o == nil:
		status{http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", parts[0], parts[1])}.write(w)
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, o)
		s.live(path)
	case r.Method == http.MethodDelete:
		delete(s.objects, path)
		answer(w, http.StatusOK, object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	default:
		status{http.StatusMethodNotAllowed, "MethodNotAllowed", "the server does not allow this method on the requested resource"}.write(w)
	}
}

// live lets a pod that was looked at go on. The caller holds the lock.
func (s *Server) live(path string) {
	o := s.objects[path]
	state, _ := o["status"].(object)
	if o["kind"] != "Pod" || state["phase"] != "Pending" {
		return
	}
	name, _ := metadata(o)["name"].(string)
	state["phase"] = "Running"
	if phase := s.phases[name]; phase != "" {
		state["phase"] = phase
	}
}

// list answers with the objects of a collection that a selector of labels chooses, ten at
// a time at most. The caller holds the lock.
func (s *Server) list(w http.ResponseWriter, r *http.Request, kind, path string) {
	const most = 10
	items, next := []any{}, ""
	for _, p := range s.sorted(path + "/") {
		o := s.objects[p]
		if p <= r.URL.Query().Get("continue") || !chosen(metadata(o), r.URL.Query().Get("labelSelector")) {
			continue
		}
		if len(items) == most {
			next = path + "/" + fmt.Sprint(metadata(items[most-1].(object))["name"])
			break
		}
		items = append(items, o)
	}
	answer(w, http.StatusOK, object{"kind": kind + "List", "apiVersion": "v1", "metadata": object{"continue": next}, "items": items})
}

func chosen(m object, selector string) bool {
	if selector == "" {
		return true
	}
	labels, _ := m["labels"].(object)
	for term := range strings.SplitSeq(selector, ",") {
		key, value, _ := strings.Cut(term, "=")
		if labels[key] != value {
			return false
		}
	}
	return true
}

// create makes an object. The caller holds the lock.
func (s *Server) create(w http.ResponseWriter, r *http.Request, kind, path string) {
	var o object
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&o); err != nil || o["kind"] != kind {
		status{http.StatusBadRequest, "BadRequest", "the object provided is unrecognized"}.write(w)
		return
	}
	name, _ := metadata(o)["name"].(string)
	at := path + "/" + name
	switch {
	case name == "" || strings.ContainsAny(name, "/ ") || strings.ToLower(name) != name:
		status{http.StatusUnprocessableEntity, "Invalid", fmt.Sprintf("%s %q is invalid: metadata.name", kind, name)}.write(w)
		return
	case s.objects[at] != nil:
		status{http.StatusConflict, "AlreadyExists", fmt.Sprintf("%s %q already exists", kind, name)}.write(w)
		return
	case metadata(o)["resourceVersion"] != nil || metadata(o)["uid"] != nil:
		status{http.StatusBadRequest, "BadRequest", "resourceVersion should not be set on objects to be created"}.write(w)
		return
	}
	if namespace, ok := strings.CutPrefix(path, "namespaces/"); ok {
		namespace, _, _ = strings.Cut(namespace, "/")
		if own := metadata(o)["namespace"]; own != nil && own != namespace {
			status{http.StatusBadRequest, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"}.write(w)
			return
		}
		metadata(o)["namespace"] = namespace
	}
	switch kind {
	case "Pod":
		admit(o)
	case "PersistentVolumeClaim":
		o["status"] = object{"phase": "Bound"}
	case "PersistentVolume":
		o["status"] = object{"phase": "Available"}
	}
	s.objects[at] = s.born(o)
	answer(w, http.StatusCreated, s.objects[at])
}

// admit adds to a pod what a server's own plug-ins and its scheduler add.
func admit(o object) {
	spec, _ := o["spec"].(object)
	if spec == nil {
		spec = object{}
		o["spec"] = spec
	}
	spec["nodeName"], spec["priority"], spec["serviceAccount"] = "node-1", 0, "default"
	list, _ := spec["volumes"].([]any)
	spec["volumes"] = append(list, object{"name": "kube-api-access-x7k2p", "projected": object{"sources": []any{}}})
	containers, _ := spec["containers"].([]any)
	for _, one := range containers {
		c, _ := one.(object)
		mounts, _ := c["volumeMounts"].([]any)
		c["volumeMounts"] = append(mounts, object{"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true})
	}
	o["status"] = object{"phase": "Pending", "podIP": "10.244.0.7"}
}
