package fabric

import (
	"maps"
	"net/http"
	"sync"
)

// controlName is the control service's name. Only a fault that names it acts
// on it, so that a fault for everything can still be removed.
const controlName = "testcloud"

// NewControl makes the service below /testcloud: an administrator's way to
// faults and counts.
//
//	GET, POST, DELETE /testcloud/faults; DELETE /testcloud/faults/{id}
//	GET, DELETE /testcloud/requests
func NewControl(f *Fabric) *Service {
	s := NewService(f, controlName, KeystoneStyle, nil)
	admin := func(pattern string, h Handler) {
		s.Handle(pattern, func(r *Request) error {
			if !r.Admin() {
				return Forbidden("You are not authorized to perform the requested action: only an administrator may control the test cloud.")
			}
			return h(r)
		})
	}
	admin("GET /testcloud/faults", func(r *Request) error {
		return r.JSON(http.StatusOK, map[string]any{"faults": f.Faults.List()})
	})
	admin("POST /testcloud/faults", func(r *Request) error {
		var fault Fault
		if err := r.Decode(&fault); err != nil {
			return err
		}
		id, err := f.Faults.Add(fault)
		if err != nil {
			return BadRequest("%v", err)
		}
		return r.JSON(http.StatusCreated, map[string]string{"id": id})
	})
	admin("DELETE /testcloud/faults", func(r *Request) error {
		f.Faults.Clear()
		return r.Empty(http.StatusNoContent)
	})
	admin("DELETE /testcloud/faults/{id}", func(r *Request) error {
		if !f.Faults.Remove(r.PathValue("id")) {
			return NotFound("Could not find fault: %s.", r.PathValue("id"))
		}
		return r.Empty(http.StatusNoContent)
	})
	admin("GET /testcloud/requests", func(r *Request) error {
		return r.JSON(http.StatusOK, map[string]any{"requests": f.Requests().Counts()})
	})
	admin("DELETE /testcloud/requests", func(r *Request) error {
		f.Requests().Reset()
		return r.Empty(http.StatusNoContent)
	})
	return s
}

// Requests counts requests by service and route, such as
// "cinder POST /volume/v3/{project}/volumes". A test can so tell how often
// something was really asked for. Counts are not kept between runs.
type Requests struct {
	mu     sync.Mutex
	counts map[string]int
}

func (r *Requests) add(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[key]++
}

// Counts gives a copy of the counts.
func (r *Requests) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// Reset sets all counts to zero.
func (r *Requests) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.counts)
}
