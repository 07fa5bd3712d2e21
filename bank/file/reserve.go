package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

const (
	// reserveSize is the room that is kept for urgent writes: some hundred of them.
	reserveSize = 1 << 20
	// reserveStep is how much of it is given away at a time.
	reserveStep = 32 << 10
)

// reserve is a file that takes room on the disk. Urgent writes take it when there is
// no other left; then nothing else is written until it is whole again. So a full
// bank still keeps its leases, and lets checkpoints be deleted.
type reserve struct {
	mu   sync.Mutex
	file *os.File
}

// openReserve opens the reserve and makes it whole if there is room.
func (b *Bank) openReserve() error {
	f, err := b.tree.root.OpenFile(reserveFile, os.O_CREATE|os.O_RDWR, 0o600)
	if isFull(err) {
		return nil // without one, nothing but urgent writes is taken
	}
	if err != nil {
		return err
	}
	b.reserve.file = f
	if err := b.reserve.refill(); err != nil && !isFull(err) {
		return err
	}
	return nil
}

// refill makes the reserve whole, or leaves it as it is. Another process may do the
// same, or give some of it away, at the same time: it is a matter of room only.
func (r *reserve) refill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return syscall.ENOSPC
	}
	info, err := r.file.Stat()
	if err != nil || info.Size() >= reserveSize {
		return err
	}
	// Nothing that a file system could compress.
	noise := rand.NewChaCha8([32]byte{1})
	_, err = io.Copy(io.NewOffsetWriter(r.file, info.Size()), io.LimitReader(noise, reserveSize-info.Size()))
	if err == nil {
		err = r.file.Sync()
	}
	if err != nil {
		return errors.Join(err, r.file.Truncate(info.Size()))
	}
	return nil
}

// give gives some of the reserve back to the disk, and reports whether there was any.
func (r *reserve) give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return false
	}
	info, err := r.file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	return r.file.Truncate(max(0, info.Size()-reserveStep)) == nil && r.file.Sync() == nil
}

func (r *reserve) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// withRoom has an object written. One that is not urgent fails as long as the reserve
// can't be made whole. For an urgent one the reserve is given away piece by piece
// until there is room.
func (b *Bank) withRoom(ctx context.Context, key string, body io.Reader, write func() error) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if !bank.IsUrgent(ctx) {
		if err := b.reserve.refill(); err != nil {
			return fmt.Errorf("writing %s: %w", key, classify(err))
		}
		return write()
	}
	again, repeatable := body.(io.Seeker)
	for {
		err := write()
		if karbor.KindOf(err) != karbor.OverLimit || !repeatable || !b.reserve.give() {
			return err
		}
		if _, seekErr := again.Seek(0, io.SeekStart); seekErr != nil {
			return errors.Join(err, seekErr)
		}
	}
}

// isFull reports whether a file system has no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
