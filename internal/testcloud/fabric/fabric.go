package fabric

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Timing says how long things take.
type Timing struct {
	// Change is how long a state change takes, such as creating → available,
	// beside the copying of bytes. 0 is 200 ms; negative is no time at all.
	Change time.Duration
}

// Options are what a Fabric needs. All but Timing and VolumeGiB are required.
type Options struct {
	Dir    string // folder of the state; made if need be
	Timing Timing
	// VolumeGiB is how many bytes a GiB of a volume has; 0 is 1 GiB.
	VolumeGiB int64
	Logger    *slog.Logger
	Now       func() time.Time
}

// Fabric is the ground that the services of one cloud stand on.
type Fabric struct {
	Store  *Store
	Blobs  *Blobs
	Clock  *Clock
	Faults *Faults
	Quotas *Quotas
	Log    *slog.Logger

	requests Requests
	timing   Timing
	gib      int64
	atomic   sync.Mutex
	mu       sync.RWMutex
	auth     Authenticator
	base     string
}

// Open loads the state in o.Dir. Close ends it.
func Open(o Options) (*Fabric, error) {
	store, err := OpenStore(filepath.Join(o.Dir, "state"))
	if err != nil {
		return nil, fmt.Errorf("opening the cloud's state: %w", err)
	}
	blobs, err := OpenBlobs(filepath.Join(o.Dir, "blobs"))
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if o.Timing.Change == 0 {
		o.Timing.Change = 200 * time.Millisecond
	}
	if o.VolumeGiB == 0 {
		o.VolumeGiB = 1 << 30
	}
	return &Fabric{
		Store: store, Blobs: blobs, Clock: NewClock(o.Now), Faults: &Faults{},
		Quotas: NewQuotas(store), Log: o.Logger, timing: o.Timing, gib: o.VolumeGiB,
	}, nil
}

// VolumeBytes is how many bytes a volume of some GiB has.
func (f *Fabric) VolumeBytes(gib int) int64 { return int64(gib) * f.gib }

// Close stops the background work, waits for it, and writes the state.
func (f *Fabric) Close() error {
	f.Clock.Close()
	return errors.Join(f.Store.Close(), f.Blobs.Close())
}

// Atomic runs do while no other Atomic runs: for a check and the change that
// depends on it. It must not be nested (also not through [Images] or
// [Volumes], whose methods use it), and do must not wait or copy bytes.
func (f *Fabric) Atomic(do func() error) error {
	f.atomic.Lock()
	defer f.atomic.Unlock()
	return do()
}

// Transit calls done when the state change has taken its time. The name is
// "<noun>.<verb>", such as "volume.create". failed says that a fault wants the
// change to end in the state error. The context ends when the cloud closes;
// then done should leave the state as it is, for the next start to find.
func (f *Fabric) Transit(service, name, project string, done func(ctx context.Context, failed bool)) {
	wait, failed := max(0, f.timing.Change), false
	if a := f.Faults.change(service, name, project); a != nil {
		wait += time.Duration(a.Delay)
		failed = a.Fail
	}
	f.Clock.After(wait, func(ctx context.Context) { done(ctx, failed) })
}

// UseAuthenticator sets who tells tokens apart. Until then every request that
// needs a token is refused.
func (f *Fabric) UseAuthenticator(a Authenticator) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.auth = a
}

// Authenticate asks the authenticator.
func (f *Fabric) Authenticate(token string) (Identity, bool) {
	f.mu.RLock()
	auth := f.auth
	f.mu.RUnlock()
	if auth == nil || token == "" {
		return Identity{}, false
	}
	return auth.Authenticate(token)
}

// forbids asks the authenticator whether Keystone forbids to look a token up.
func (f *Fabric) forbids(token string) bool {
	f.mu.RLock()
	auth := f.auth
	f.mu.RUnlock()
	a, ok := auth.(Forbidder)
	return ok && token != "" && a.Forbids(token)
}

// SetBase sets the URL of the cloud's listener, such as http://127.0.0.1:5000.
func (f *Fabric) SetBase(url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.base = url
}

// Base gives the URL of the cloud's listener, without a slash at the end.
func (f *Fabric) Base() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.base
}

// Requests counts the requests that were answered.
func (f *Fabric) Requests() *Requests { return &f.requests }

// NewID gives a random UUID with dashes, as Nova, Neutron, Cinder and Glance
// have them.
func NewID() string { return uuid.NewString() }
