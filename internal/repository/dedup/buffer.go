package dedup

import (
	"sync"

	"github.com/karbor/karbor/internal/repository/format"
)

// buffers are the memory of packs, which the streams of a domain use one after the other: that of
// a full pack costs more to make than a small stream does.
type buffers struct{ unused sync.Pool }

// smallPack is how many bytes of memory a pack begins with where none lies unused. Most streams that are no first ones
// store less; for one that stores more the pack takes that of a few groups, and then of a full one.
const smallPack = format.MaxGroup

// get gives the memory of one pack: what a stream before has grown, to that of a few groups or of a full
// one, if there is some, or that of a small one.
func (b *buffers) get() []byte {
	if buf, ok := b.unused.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 0, smallPack)
}

// put takes back those of a writer that has ended.
func (b *buffers) put(unused chan []byte) {
	for {
		select {
		case buf := <-unused:
			if buf != nil {
				buf = buf[:0]
				b.unused.Put(&buf)
			}
		default:
			return
		}
	}
}
