package extraction

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
)

// grain is what a write past the page cache is a multiple of, in its place and its length.
const grain = 4 << 10

// disk writes to a file or a device past the page cache, where the system lets it. What is restored
// is often larger than memory: copying it there takes longer than all that unpacks it, and
// drives out what others need.
type disk struct {
	*os.File
	direct atomic.Bool
}

func newDisk(f *os.File) *disk {
	d := &disk{File: f}
	d.direct.Store(setDirect(f, true) == nil)
	return d
}

func (d *disk) depth() int { return writers }

func (d *disk) write(b []byte, at int64) error {
	if !d.direct.Load() {
		_, err := d.WriteAt(b, at)
		return err
	}
	if len(b)%grain == 0 && at%grain == 0 {
		// Some file systems refuse only here.
		if _, err := d.WriteAt(b, at); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	// From here on, through the page cache: that has the end of a stream, or all.
	if err := setDirect(d.File, false); err != nil {
		return err
	}
	d.direct.Store(false)
	_, err := d.WriteAt(b, at)
	return err
}
