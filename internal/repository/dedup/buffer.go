package dedup

import (
	"sync"

	"github.com/karbor/karbor/internal/repository/format"
)

// buffers are the memory of packs, which the streams of a domain use one after the other: it
// costs more to make than a small stream does.
type buffers struct{ unused sync.Pool }

// get gives the memory of one pack.
func (b *buffers) get() []byte {
	if buf, ok := b.unused.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 0, format.PackTarget+4*format.MaxGroup)
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
