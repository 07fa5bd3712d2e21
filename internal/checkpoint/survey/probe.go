package survey

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// probeRoot begins the keys of probes. No object of a layout has such a key.
const probeRoot = "probe/"

// probeSize is how many bytes a probe has.
const probeSize = 64 << 10

// Probed is what a probe of a bank showed.
type Probed struct {
	// Guarantees are what the back-end says of itself.
	Guarantees Guarantees `json:"guarantees"`
	// Listed says that the listing showed the probe at once.
	Listed bool `json:"listed"`
	// Refused says that a second create of the same key was refused, as it must be.
	Refused bool `json:"refused"`
	// ClockOff is by how much the bank's clock is ahead of the host's.
	ClockOff time.Duration `json:"clock_off"`
}

// Probe writes an object of random bytes, reads it whole and in part, lists it, tries to
// create it a second time, and removes it: so it shows that a bank can be used. The
// object goes, whatever happens. now is the local clock.
func Probe(ctx context.Context, b bank.Bank, now func() time.Time) (p Probed, err error) {
	traits := b.Traits()
	p.Guarantees = guarantees(traits)
	key, content := probeRoot+karbor.NewID(), make([]byte, probeSize)
	_, _ = rand.Read(content) // never fails: see its documentation
	defer func() {
		if gone := b.Delete(context.WithoutCancel(ctx), key); gone != nil {
			err = errors.Join(err, fmt.Errorf("removing the probe %s: %w", key, gone))
		}
	}()
	theirs, err := b.Now(ctx)
	if err != nil {
		return p, fmt.Errorf("asking for the bank's time: %w", err)
	}
	p.ClockOff = theirs.Sub(now()).Round(time.Second)
	if err := b.Create(ctx, key, bytes.NewReader(content), probeSize); err != nil {
		return p, fmt.Errorf("writing the probe %s: %w", key, err)
	}
	for _, part := range []struct{ offset, length int64 }{{0, -1}, {1000, 5000}} {
		want := content
		if part.length > 0 {
			want = content[part.offset : part.offset+part.length]
		}
		got, err := readPart(ctx, b, key, part.offset, part.length)
		if err != nil {
			return p, fmt.Errorf("reading the probe %s: %w", key, err)
		}
		if !bytes.Equal(got, want) {
			return p, karbor.Errorf(karbor.Internal, "the bank gave other bytes of the probe %s than were written", key)
		}
	}
	infos, err := b.List(ctx, probeRoot, "", bank.MaxList)
	if err != nil {
		return p, fmt.Errorf("listing the probe: %w", err)
	}
	p.Listed = slices.ContainsFunc(infos, func(i bank.Info) bool { return i.Key == key && i.Size == probeSize })
	err = b.Create(ctx, key, bytes.NewReader(content[1:]), probeSize-1)
	p.Refused = err != nil && karbor.KindOf(err) == karbor.Conflict
	if err != nil && !p.Refused {
		return p, fmt.Errorf("writing the probe %s again: %w", key, err)
	}
	return p, nil
}

func readPart(ctx context.Context, b bank.Bank, key string, offset, length int64) ([]byte, error) {
	body, err := b.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, probeSize+1))
}
