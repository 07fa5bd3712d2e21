package failure

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// killsVariable says how often the service is killed in all, and seedVariable chooses
// where if that is not enough for every boundary.
const (
	killsVariable = "KARBOR_KILLS"
	seedVariable  = "KARBOR_SEED"
	// fewKills are for a run of all the tests.
	fewKills = 16
	// thorough is from how many kills on whole volumes go through, too, which takes longer.
	thorough = 100
)

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, not a number", name, text)
	}
	return n
}

// work is an operation during which the service is killed.
type work struct {
	name string
	// ask asks for the operation, and gives where its outcome is seen. It may ask for what
	// it asked for before, should that have been lost.
	ask func(k *killing) (path, envelope string, err error)
	// want is the status in the end.
	want string
	// log is the operation of the log that goes with it, and how that ends.
	log, logged string
	// after compares what the operation was to make with what it was made of, and removes it
	// from the cloud.
	after func(k *killing, outcome map[string]any)
	// server says that the checkpoint is to hold a server with a volume, where servers run at once.
	server bool
	// probes says that the work wants servers that answer.
	probes bool
	// fresh says that each episode has a plan of its own, with bytes that the bank does not have;
	// kept that its checkpoint is made before the service is to die.
	fresh, kept bool
	// warm does what only the first operation of its kind would do.
	warm func(k *killing)
	// first is what the first kill is to be at, if anything is: a part of the kind of a place.
	first string
	// fault is what the cloud fails with all the time.
	fault *fabric.Fault
}

var works = []work{
	{name: "protect", want: "available", log: "protect", logged: "available", ask: (*killing).askProtect, after: (*killing).judgeBytes,
		server: true, fresh: true, first: bulkData},
	{name: "restore", want: "success", log: "restore", logged: "success", ask: (*killing).askRestore, after: (*killing).judgeRestored, server: true},
	{name: "failing restore", want: "fail", log: "restore", logged: "error", ask: (*killing).askRestore,
		fault: &fabric.Fault{Service: "glance", Method: "PUT", Path: ofBytes, Status: 413}},
	{name: "verify", want: "success", log: "verify", logged: "success", ask: (*killing).askVerify},
	{name: "delete", want: "deleted", log: "delete", logged: "deleted", ask: (*killing).askDelete, fresh: true, kept: true},
}

// run is what became of the kills during one kind of work.
type run struct {
	*killing
	r *rand.Rand
	// left are the places at which nobody died yet.
	left []place
	// atPlaces and atRandom count the deaths there.
	atPlaces, atRandom int
}

// spares is how many places that did not come again may be made up for by others, or by random moments.
const spares = 5

// at kills the service at a number of places. One at which it can't die this time is made up for by
// another, if there is one left.
func (r *run) at(n int) {
	r.t.Helper()
	for r.atPlaces < n && len(r.left) > 0 && r.missed <= spares {
		var p place
		p, r.left = r.left[0], r.left[1:]
		if _, died := r.episode(death{place: &p, trouble: r.trouble()}); died {
			r.atPlaces++
		}
	}
	if r.atPlaces < n && r.missed > spares {
		r.t.Errorf("it died at %d places of %d; %d did not come", r.atPlaces, n, r.missed)
	}
}

// trouble chooses what the cloud does wrong besides, in every other episode, with one of the requests that
// the undisturbed one has sent; nil where nothing is asked of the cloud.
func (r *run) trouble() *fabric.Fault {
	f := troubles[r.r.IntN(len(troubles))]
	of := slices.DeleteFunc(slices.Clone(r.counted), func(c fabric.Fault) bool { return c.Method != f.Method })
	if r.episodes%2 == 0 || len(of) == 0 {
		return nil
	}
	c := of[r.r.IntN(len(of))]
	f.Service, f.After = c.Service, r.r.IntN(c.Matched)
	return &f
}

// TestOperationsEndAsTheyWouldHaveWhereverTheServiceIsKilled kills it at the boundaries of its
// work and when it changes something in the cloud, and, if there are kills left, at random moments.
func TestOperationsEndAsTheyWouldHaveWhereverTheServiceIsKilled(t *testing.T) {
	kills := setting(t, killsVariable, fewKills)
	seed := setting(t, seedVariable, 1)
	works := slices.DeleteFunc(append(slices.Clone(works), moreWorks...), func(w work) bool { return !w.possible() })
	for i, w := range works {
		t.Run(w.name, func(t *testing.T) {
			r := &run{killing: newKilling(t, w, ""), r: rand.New(rand.NewPCG(uint64(seed), uint64(i)))}
			places, _ := r.episode(death{})
			share := kills / len(works)
			r.left = inTurn(r.r, places, w.first)
			r.at(min(share, len(places)))
			for r.atPlaces+r.atRandom < share {
				r.episode(death{after: time.Duration(1 + r.r.Int64N(int64(r.took))), trouble: r.trouble()})
				r.atRandom++
			}
			r.judgeAll()
			t.Logf("%-18s %3d places, %3d kills at %d of them and %d at random moments (%d places did not come again), %d with a cloud in trouble, %d problems",
				w.name, len(places), r.atPlaces+r.atRandom, r.atPlaces, r.atRandom, r.missed, r.troubled, len(r.problems))
			for _, p := range r.problems {
				t.Error(p)
			}
			if len(places) == 0 || share > 0 && r.atPlaces == 0 {
				t.Errorf("of %d places it was killed at none", len(places))
			}
			if w.first != "" && share > 0 && !slices.ContainsFunc(r.deaths, w.begins) {
				t.Errorf("it never died at %s, but at %q", w.first, r.deaths)
			}
		})
	}
}
