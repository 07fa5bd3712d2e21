package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

const (
	// windowSize is the most entries of one folder that a listing holds, in the order
	// of their keys. Of a folder with more, it is read once for so many.
	windowSize = 16384
	// readAtOnce is how many names are read from a folder at a time.
	readAtOnce = 4096
	// maxWindows is how many windows are kept between the pages of lists.
	maxWindows = 4
	// settled is how long a folder must have been unchanged for its window to be kept:
	// longer than the steps of any file system's clock. A change after that gives it
	// another time of change.
	settled = 3 * time.Second
)

// window is what a folder holds from a key on.
type window struct {
	base, prefix string
	// from is where it begins, and items what it holds, in order.
	from  string
	items []item
	// more says that the folder holds more behind them.
	more bool
	// changed is when the folder was last changed, by its time of change, and lasting
	// says that a later change will show in that.
	changed time.Time
	lasting bool
}

// holds reports whether the window tells what comes from a key on.
func (w *window) holds(from string) bool {
	return w.from <= from && (!w.more || from <= w.items[len(w.items)-1].key)
}

// rest gives the items from a key on.
func (w *window) rest(from string) []item {
	return w.items[sort.Search(len(w.items), func(i int) bool { return w.items[i].key >= from }):]
}

// first gives the least key of an entry of the folder with key prefix base that can be,
// or hold, a key behind the marker.
func first(base, marker string) string {
	inside, ok := strings.CutPrefix(marker, base)
	if !ok || inside == "" {
		return max(base, marker)
	}
	if i := strings.IndexByte(inside, '/'); i >= 0 {
		return base + inside[:i+1]
	}
	return marker + "\x00"
}

// window gives what an open folder holds from a key on.
func (l *listing) window(ctx context.Context, dir *os.File, base, from string) (*window, error) {
	info, err := dir.Stat()
	if err != nil {
		return nil, err
	}
	if w := l.bank.windows.get(base, l.prefix, from, info.ModTime()); w != nil {
		return w, nil
	}
	w := &window{base: base, prefix: l.prefix, from: from}
	names, err := dir.Readdirnames(readAtOnce)
	if len(names) == readAtOnce { // worth keeping, if the times are read before the names
		now, err := l.bank.Now(ctx)
		if err != nil {
			return nil, err
		}
		if info, err = dir.Stat(); err != nil {
			return nil, err
		}
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		w.changed, w.lasting = info.ModTime(), now.Sub(info.ModTime()) > settled
		names = nil
	}
	return w, w.read(dir, names, err)
}

// read fills the window with the names that were read and those that follow.
func (w *window) read(dir *os.File, names []string, err error) error {
	for {
		w.items = appendItems(w.items, w.base, names, w.prefix, w.from)
		if len(w.items) > 2*windowSize {
			w.cut()
		}
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) { // it may be removed meanwhile
			w.cut()
			return nil
		}
		if err != nil {
			return err
		}
		names, err = dir.Readdirnames(readAtOnce)
	}
}

// cut orders what is held, and drops what is too much of it.
func (w *window) cut() {
	slices.SortFunc(w.items, byKey)
	if len(w.items) > windowSize {
		clear(w.items[windowSize:])
		w.items, w.more = w.items[:windowSize], true
	}
}

// windows are kept from page to page of a list, so that each page does not read a
// large folder anew.
type windows struct {
	mu   sync.Mutex
	kept []*window
}

// get gives a window that tells what a folder holds from a key on, if it still does.
func (k *windows) get(base, prefix, from string, changed time.Time) *window {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.kept {
		if w.base == base && w.prefix == prefix && w.changed.Equal(changed) && w.holds(from) {
			return w
		}
	}
	return nil
}

// keep keeps a window of which a page took only a part.
func (k *windows) keep(w *window) {
	k.drop(w)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept) == maxWindows {
		k.kept = slices.Delete(k.kept, 0, 1)
	}
	k.kept = append(k.kept, w)
}

// drop forgets the windows of a list whose pages have come to the end of a window.
func (k *windows) drop(w *window) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = slices.DeleteFunc(k.kept, func(o *window) bool { return o.base == w.base && o.prefix == w.prefix })
}
