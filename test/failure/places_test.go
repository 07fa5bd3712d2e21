package failure

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// place is where the service dies: at the nth boundary of a kind, or at the nth change of a kind
// that it asks the cloud for.
type place struct {
	kind string
	nth  int
	// service and method are those of a change of the cloud's; done says that the cloud
	// makes it before the service dies.
	service, method string
	done            bool
	// fault is the id of what stops the change.
	fault string
}

// String tells of it.
func (p place) String() string {
	return fmt.Sprintf("%s (%d)", p.kind, p.nth)
}

// bulkData is in the kinds of the boundaries at which the bytes of resources are written.
const bulkData = "/packs/"

// begins says whether a place is one that the work is to be killed at first.
func (w work) begins(place string) bool { return strings.Contains(place, w.first) }

// The services whose changes are places, and the methods that change.
var (
	changing = []string{"glance", "cinder", "nova", "neutron"}
	methods  = []string{"POST", "PUT", "PATCH", "DELETE", anyMethod}
)

// anyMethod stands for all, also those that change nothing.
const anyMethod = ""

// troubles are what a cloud does for a moment.
var troubles = []fabric.Fault{
	{Status: 503, Times: 2},
	{Status: 429, Times: 2, Header: map[string]string{"Retry-After": "0"}},
	{Method: "POST", Answer: fabric.AnswerLose, Times: 1},
	{Answer: fabric.AnswerClose, Times: 1},
}

// doomed gives what the process is to know of its death.
func (d death) doomed(planted string) *doom {
	own := &doom{Planted: planted}
	if d.place != nil && d.place.service == "" {
		own.Kind, own.At = d.place.kind, d.place.nth
	}
	return own
}

// faulty adds what the cloud does with the tenant's requests, and gives its id.
func (k *killing) faulty(f fabric.Fault) string {
	k.t.Helper()
	f.Project = k.u.user.ProjectID
	id, err := k.cloud.Faults().Add(f)
	if err != nil {
		k.t.Fatal(err)
	}
	return id
}

// never is after how many requests a rule acts that only counts them.
const never = 1 << 30

// armed tells the cloud what it is to do in the episode, and gives the rules that count changes.
func (k *killing) armed(d death) (counters []string) {
	k.t.Helper()
	for _, service := range changing {
		for _, method := range methods {
			counters = append(counters, k.faulty(fabric.Fault{Service: service, Method: method, After: never}))
		}
	}
	if p := d.place; p != nil && p.service != "" {
		f := fabric.Fault{Service: p.service, Method: p.method, After: p.nth - 1, Times: 1, Answer: fabric.AnswerHang}
		if p.done {
			f.Answer = fabric.AnswerLose
		}
		p.fault = k.faulty(f)
	}
	if d.trouble != nil {
		k.trouble = k.faulty(*d.trouble)
	}
	if k.work.fault != nil {
		k.fault(*k.work.fault)
	}
	return counters
}

// acted says whether a rule has acted.
func (k *killing) acted(id string) bool {
	return slices.ContainsFunc(k.cloud.Faults().List(), func(f fabric.Fault) bool { return f.ID == id && f.Acted > 0 })
}

// places gives those that an undisturbed episode has passed.
func (k *killing) places(counters []string, kinds map[string]int) (all []place) {
	k.t.Helper()
	for kind, n := range kinds {
		for nth := range n {
			all = append(all, place{kind: kind, nth: nth + 1})
		}
	}
	for _, f := range k.cloud.Faults().List() {
		if !slices.Contains(counters, f.ID) || f.Matched == 0 {
			continue
		}
		k.counted = append(k.counted, f)
		if f.Method == anyMethod {
			continue
		}
		for nth := range f.Matched {
			for when, done := range map[string]bool{"before": false, "after": true} {
				kind := fmt.Sprintf("%s a %s of %s", when, f.Method, f.Service)
				all = append(all, place{kind: kind, nth: nth + 1, service: f.Service, method: f.Method, done: done})
			}
		}
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// inTurn puts places into an order in which each kind has its turn: first of all what is to be first.
func inTurn(r *rand.Rand, places []place, first string) (order []place) {
	kinds := map[string][]place{}
	var names []string
	for _, p := range places {
		if len(kinds[p.kind]) == 0 {
			names = append(names, p.kind)
		}
		kinds[p.kind] = append(kinds[p.kind], p)
	}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if first != "" {
		slices.SortStableFunc(names, func(a, b string) int {
			switch x, y := strings.Contains(a, first), strings.Contains(b, first); {
			case x && !y:
				return -1
			case y && !x:
				return 1
			}
			return 0
		})
	}
	for _, name := range names {
		of := kinds[name]
		r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	}
	for len(order) < len(places) {
		for _, name := range names {
			if of := kinds[name]; len(of) > 0 {
				order, kinds[name] = append(order, of[0]), of[1:]
			}
		}
	}
	return order
}

func TestEachKindOfPlaceHasItsTurn(t *testing.T) {
	places := []place{{kind: "a", nth: 1}, {kind: "a", nth: 2}, {kind: "a", nth: 3}, {kind: "b", nth: 1}, {kind: "before creating v1/packs/*", nth: 1}}
	for seed := range uint64(20) {
		order := inTurn(rand.New(rand.NewPCG(seed, 0)), places, bulkData)
		var kinds []string
		for _, p := range order[:3] {
			kinds = append(kinds, p.kind)
		}
		if kinds[0] != places[4].kind {
			t.Errorf("first is %s", kinds[0])
		}
		slices.Sort(kinds)
		sorted := slices.SortedFunc(slices.Values(order), func(a, b place) int { return strings.Compare(a.String(), b.String()) })
		if !slices.Equal(kinds, []string{"a", "b", places[4].kind}) || !slices.Equal(sorted, places) {
			t.Errorf("the order is %v", order)
		}
	}
}

func TestKindOfABoundaryNamesNoSingleThing(t *testing.T) {
	const project, id = "278dbdca881d673e8c80de14e5160d41", "34c235b3-e91a-45fe-bc4e-ef8a6d7e406e"
	for key, want := range map[string]string{
		"v1/states/" + project + "/" + id + "/00000002":                                               "v1/states/*",
		"v1/leases/" + id + "." + id + "/" + project + "@" + id:                                       "v1/leases/*/CLAIM",
		"v1/leases/" + id + "." + id + "/00000001":                                                    "v1/leases/*",
		"v1/repositories/" + project + "/packs/ab/" + strings.Repeat("0a", 32):                        "v1/repositories/*/packs/*",
		"v1/checkpoints/" + project + "/" + id + "/nodes/OS::Nova::Server#" + id + "/documents/saved": "v1/checkpoints/*/nodes/*/documents/saved",
		"OS::Glance::Image": "OS::Glance::Image",
	} {
		if got := kindOf(key); got != want {
			t.Errorf("the kind of %s is %s, want %s", key, got, want)
		}
	}
}
