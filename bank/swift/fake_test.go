package swift_test

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeSwift is one account of an object store, which fails on request.
type fakeSwift struct {
	*httptest.Server
	keystone *fakeKeystone

	mu         sync.Mutex
	token      string
	containers map[string]map[string]object
	requests   []string
	header     http.Header // on each answer
	maxSize    int
	// ignoresConditions takes no notice of If-None-Match.
	ignoresConditions, ignoresRanges, wrongEtag bool
	hook                                        func(w http.ResponseWriter, r *http.Request) bool
}

type object struct {
	data []byte
	at   time.Time
}

func newFake(t testing.TB) *fakeSwift {
	f := &fakeSwift{token: "token1", containers: map[string]map[string]object{}, header: http.Header{}, maxSize: 5 << 30}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	f.keystone = newKeystone(t, f.URL+"/v1/AUTH_p1", func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.token
	})
	return f
}

func md5Of(data []byte) string { return fmt.Sprintf("%x", md5.Sum(data)) }

func (f *fakeSwift) setHook(hook func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// ServeHTTP implements http.Handler.
func (f *fakeSwift) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	hook, token := f.hook, f.token
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	f.mu.Unlock()
	if hook != nil && hook(w, r) {
		return
	}
	if r.URL.Path == "/info" {
		_ = json.NewEncoder(w).Encode(map[string]any{"swift": map[string]any{"max_file_size": f.maxSize, "container_listing_limit": 10000}})
		return
	}
	if r.Header.Get("X-Auth-Token") != token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.ContentLength > 0 && int64(len(body)) != r.ContentLength {
		return // what is cut off is not kept
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.Copy(w.Header(), f.header)
	container, name, isObject := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/AUTH_p1/"), "/")
	objects, there := f.containers[container]
	switch {
	case !isObject && r.Method == http.MethodPut:
		if !there {
			f.containers[container] = map[string]object{}
		}
		w.WriteHeader(http.StatusCreated)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	case !isObject && r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNoContent)
	case !isObject:
		f.list(w, r, objects)
	default:
		f.object(w, r, objects, name, body)
	}
}

func (f *fakeSwift) list(w http.ResponseWriter, r *http.Request, objects map[string]object) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	page := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if strings.HasPrefix(name, q.Get("prefix")) && name > q.Get("marker") && len(page) < limit {
			o := objects[name]
			page = append(page, map[string]any{"name": name, "bytes": len(o.data), "last_modified": o.at.UTC().Format("2006-01-02T15:04:05.000000")})
		}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (f *fakeSwift) object(w http.ResponseWriter, r *http.Request, objects map[string]object, name string, body []byte) {
	o, there := objects[name]
	switch r.Method {
	case http.MethodPut:
		etag := md5Of(body)
		switch want := r.Header.Get("Etag"); {
		case r.Header.Get("If-None-Match") == "*" && there && !f.ignoresConditions:
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		case want != "" && want != etag:
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		case len(body) > f.maxSize:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		objects[name] = object{body, time.Now()}
		if f.wrongEtag {
			etag = strings.Repeat("0", 32)
		}
		w.Header().Set("Etag", etag)
		w.WriteHeader(http.StatusCreated)
	case http.MethodDelete:
		if !there {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		delete(objects, name)
		w.WriteHeader(http.StatusNoContent)
	default:
		if !there {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Etag", fmt.Sprintf("%q", md5Of(o.data)))
		w.Header().Set("X-Timestamp", fmt.Sprintf("%.5f", float64(o.at.UnixMicro())/1e6))
		w.Header().Set("Content-Type", "application/octet-stream")
		if f.ignoresRanges {
			r.Header.Del("Range")
		}
		http.ServeContent(w, r, "", o.at, bytes.NewReader(o.data))
	}
}
