package verification

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/karbor/karbor"
)

// Depth says how deep is looked.
type Depth string

// The depths. A deeper one finds all that the ones before find.
const (
	// Quick looks at the recipes, and whether all that they refer to is there: no
	// byte of the data is read.
	Quick Depth = "quick"
	// Stored reads every pack, and compares its SHA-256 with its name.
	Stored Depth = "stored"
	// Full also decrypts and decompresses, and hashes every chunk.
	Full Depth = "full"
)

// depths are all, from the shallowest on.
func depths() []Depth { return []Depth{Quick, Stored, Full} }

// ParseDepth reads the word for a depth; "" is Full. Any other is karbor.Invalid.
func ParseDepth(text string) (Depth, error) {
	if text == "" {
		return Full, nil
	}
	if !slices.Contains(depths(), Depth(text)) {
		return "", karbor.Errorf(karbor.Invalid, "%q is not a depth; there are quick, stored and full", text)
	}
	return Depth(text), nil
}

// rank orders depths.
func (d Depth) rank() uint8 { return uint8(slices.Index(depths(), d)) }

// Options of a run.
type Options struct {
	// Depth is how deep is looked; "" is Full.
	Depth Depth
	// State holds which packs were found good before, and is told of those that are now.
	// Given to a run that goes on after one that was broken off, it saves it what that
	// one has done. It may be shared by runs in one domain at the same time. Nil is
	// an empty one.
	State *State
	// Since limits what counts of State: packs found good before are looked at again.
	// Zero is no limit.
	Since time.Time
	// Until, if set, ends the run early, and without an error, when Now has come so far:
	// what was not looked at by then is in Result.Left. So a bank is verified by shares.
	Until time.Time
	// BytesPerSecond is how much is read of the packs, by all workers together; 0 is no
	// limit.
	BytesPerSecond int64
	// Workers is how many packs are looked at side by side; 0 is one for each processor, but
	// at most 8. Each holds about 6 MiB, and a directory, of up to 16 MiB.
	Workers int
	// Progress is told how far the run is; nil is nobody. It is called by one goroutine
	// at a time, and must be quick.
	Progress func(Progress)
	// Now gives the time that State is told. Required.
	Now func() time.Time
}

// Progress tells how far a run is.
type Progress struct {
	// Done and Total are bytes of packs, as they lie in the bank.
	Done, Total int64
	// Packs is how many were looked at, and OfPacks how many there are to look at.
	Packs, OfPacks int
}

func (o Options) filled() (Options, error) {
	depth, err := ParseDepth(string(o.Depth))
	if err != nil {
		return o, err
	}
	o.Depth = depth
	if o.Now == nil {
		return o, fmt.Errorf("verifying: no clock given")
	}
	if o.State == nil {
		o.State = NewState()
	}
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), mostWorkers)
	}
	return o, nil
}

// mostWorkers bounds the memory of a run that does not say how many workers it has.
const mostWorkers = 8

// burst is how many bytes a throttled run reads at once.
const burst = 256 << 10

// limiter gives what throttles a run, or nil.
func (o Options) limiter() *rate.Limiter {
	if o.BytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(o.BytesPerSecond), burst)
}
