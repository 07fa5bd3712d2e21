package protection

import (
	"context"
	"io"
)

// Repository is where a node's bulk data lies in the bank. Create, Open and Verify may
// wait for their turn, as all operations share what moves data: open a stream when you
// need it, and before what does not wait, such as a download; close it soon. Names
// follow the rule of one part of a bank's key. Methods may be called concurrently for different
// names.
type Repository interface {
	// Create begins to write data under name. It takes the place of what an
	// earlier writer of that name left unfinished; data that is already complete
	// is karbor.Conflict.
	Create(ctx context.Context, name string) (Writer, error)
	// Open begins to read what a writer has committed; karbor.NotFound if nothing
	// is.
	Open(ctx context.Context, name string) (Reader, error)
	// Stat describes what a writer has committed; karbor.NotFound if nothing is.
	Stat(ctx context.Context, name string) (Summary, error)
	// Verify reads all the data under name and checks every byte of it against
	// the digests, without handing it out.
	Verify(ctx context.Context, name string, progress func(done, total int64)) error
	// Remove deletes the data under name, complete or not. None is no error.
	Remove(ctx context.Context, name string) error
}

// Summary describes committed data.
type Summary struct {
	// Size is in bytes.
	Size int64
	// New is how many of the bytes were not in the bank before, and so had to be stored;
	// neither are zeros. Stored is how many bytes the bank has got more for it.
	New, Stored int64
	// SHA256 is the digest of all the bytes, in lower-case hexadecimal; "" where it is not
	// known: a repository may check the bytes by other means.
	SHA256 string
}

// Writer takes the bytes of one stream, in order. It keeps a bounded part of them
// in memory. It is for one goroutine.
type Writer interface {
	io.Writer
	// Commit makes the data complete and durable. No call may follow.
	Commit(ctx context.Context) (Summary, error)
	// Abort gives up and removes what was written, as far as the bank lets it. It
	// does nothing after Commit.
	Abort(ctx context.Context) error
}

// Reader gives the bytes of one stream, in order, each checked against its
// digest before it is handed out. A wrong or missing byte is an error of kind
// karbor.Internal that names the chunk. It is for one goroutine.
type Reader interface {
	io.ReadCloser
	// Summary describes the whole stream.
	Summary() Summary
}
