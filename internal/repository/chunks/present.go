package chunks

import (
	"context"
	"fmt"

	"github.com/karbor/karbor/bank"
)

// Present checks, without reading the chunks, that all of a stream's are there with
// their sizes. It costs a listing of them. The error names the first that is not.
func (c *Streams) Present(ctx context.Context, name string) error {
	m, err := c.manifest(ctx, name)
	if err != nil {
		return err
	}
	prefix := name + "/" + m.Writer + "/"
	next := func(i int) int { // the next chunk that is an object
		for i < len(m.Chunks) && m.Chunks[i].Zero {
			i++
		}
		return i
	}
	at := next(0)
	for marker := ""; at < len(m.Chunks); {
		infos, err := c.section.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return fmt.Errorf("listing the chunks of %s: %w", name, err)
		}
		for _, i := range infos {
			marker = i.Key
			if at == len(m.Chunks) || i.Key != name+"/"+chunkKey(m.Writer, at+1) {
				continue
			}
			if i.Size != int64(m.Chunks[at].Size) {
				return broken(name, fmt.Sprintf("chunk %d has %d bytes and not %d", at+1, i.Size, m.Chunks[at].Size))
			}
			at = next(at + 1)
		}
		if len(infos) < bank.MaxList && at < len(m.Chunks) {
			return broken(name, fmt.Sprintf("chunk %d is missing", at+1))
		}
	}
	return nil
}
