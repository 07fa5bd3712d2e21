package api

import (
	"container/list"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what one request, and all together, may take. A zero member stands
// for its default.
type Limits struct {
	// Body is the most bytes of a body; MaxBody by default. A larger one is 413.
	Body int64
	// Header is the most bytes of the request line and the headers; MaxHeader by
	// default. More is 431.
	Header int
	// InFlight is how many requests are served at a time, with those that wait for a
	// client, a cloud or their turn; MaxInFlight by default. What comes beyond is 503 at
	// once.
	InFlight int
	// Working is how many of them work at a time; DefaultWorking by default. The others
	// wait for their turn, and are 503 where there is more to do than can be done (see
	// the package admission): the service stays quick for those that it takes.
	Working int
	// Time is how long a request may take, with all that it waits for; MaxTime by default.
	// Then it is 503, so that one which waits for a server that hangs goes away.
	Time time.Duration
	// Rate is how many requests a project may make a second, for long; 0 sets no
	// bound. Burst is how many it may make at once.
	Rate  float64
	Burst int
}

// The defaults of Limits.
const (
	MaxHeader   = 32 << 10
	MaxInFlight = 256
	MaxTime     = 5 * time.Minute
)

// DefaultWorking is two requests for each processor, as some wait for the disk.
func DefaultWorking() int { return 2 * runtime.GOMAXPROCS(0) }

func (l Limits) orDefaults() Limits {
	if l.Body <= 0 {
		l.Body = MaxBody
	}
	if l.Header <= 0 {
		l.Header = MaxHeader
	}
	if l.InFlight <= 0 {
		l.InFlight = MaxInFlight
	}
	if l.Working <= 0 {
		l.Working = DefaultWorking()
	}
	if l.Time <= 0 {
		l.Time = MaxTime
	}
	return l
}

// limitError is the fault of a request that goes over a bound. The kinds of errors do
// not tell such apart.
type limitError struct {
	form    faultForm
	message string
}

func (e *limitError) Error() string { return e.message }

func tooLargeBody(limit int64) error {
	return &limitError{
		faultForm{http.StatusRequestEntityTooLarge, "overLimit", ""},
		fmt.Sprintf("The request body is larger than %d bytes.", limit),
	}
}

// errSlowBody is the fault of a body that did not come in time.
var errSlowBody = &limitError{
	faultForm{http.StatusRequestTimeout, "badRequest", ""}, "The request body did not come in time.",
}

// checkHeader refuses a request whose headers are larger than the limit.
func checkHeader(r *http.Request, limit int) error {
	const around = 4 // ": " and the line's end
	size := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + around
		}
	}
	if size <= limit {
		return nil
	}
	return &limitError{
		faultForm{http.StatusRequestHeaderFieldsTooLarge, "badRequest", ""},
		fmt.Sprintf("The request line and the headers are larger than %d bytes.", limit),
	}
}

// gate counts the requests in flight.
type gate struct {
	limit int64
	now   atomic.Int64
}

// enter takes a place, or says that there is none. leave gives it back.
func (g *gate) enter() error {
	if g.now.Add(1) <= g.limit {
		return nil
	}
	g.leave()
	return errBusy
}

// errBusy is the fault of a request that is one too many.
var errBusy = &limitError{
	faultForm{http.StatusServiceUnavailable, "serviceUnavailable", "1"},
	"The service has more to do than it can take now. Try again shortly.",
}

func (g *gate) leave() { g.now.Add(-1) }

// maxProjects is how many projects' rates are remembered; the one that has not asked
// for the longest goes first.
const maxProjects = 10_000

// rates bound how many requests each project makes.
type rates struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu       sync.Mutex
	projects map[string]*list.Element
	order    list.List // of projectRate, the latest first
}

type projectRate struct {
	project string
	limiter *rate.Limiter
}

// newRates gives nil where there is no bound.
func newRates(l Limits, now func() time.Time) *rates {
	if l.Rate <= 0 {
		return nil
	}
	burst := l.Burst
	if burst < 1 {
		burst = max(1, int(math.Ceil(l.Rate)))
	}
	return &rates{limit: rate.Limit(l.Rate), burst: burst, now: now, projects: map[string]*list.Element{}}
}

// take counts a request of a project, and says when it is one too many.
func (r *rates) take(project string) error {
	if r == nil {
		return nil
	}
	now := r.now()
	reservation := r.limiter(project).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	reservation.CancelAt(now)
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return &limitError{
		faultForm{http.StatusTooManyRequests, "overLimit", seconds},
		fmt.Sprintf("This project makes more requests than the %g a second that it may. Try again in %s s.", float64(r.limit), seconds),
	}
}

func (r *rates) limiter(project string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.projects[project]; e != nil {
		r.order.MoveToFront(e)
		return e.Value.(projectRate).limiter
	}
	l := rate.NewLimiter(r.limit, r.burst)
	r.projects[project] = r.order.PushFront(projectRate{project, l})
	if r.order.Len() > maxProjects {
		last := r.order.Back()
		r.order.Remove(last)
		delete(r.projects, last.Value.(projectRate).project)
	}
	return l
}
