package deadline

import (
	"context"
	"io"

	"github.com/karbor/karbor/protection"
)

// writer is a stream whose bytes and whose end are movement.
type writer struct {
	protection.Writer
	w *Watch
}

// Write implements io.Writer.
func (s writer) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.w.bytes(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom: io.Copy finds out whether the writer itself does.
func (s writer) ReadFrom(r io.Reader) (int64, error) { return io.Copy(s.Writer, source{r, s.w}) }

// Commit implements protection.Writer.
func (s writer) Commit(ctx context.Context) (protection.Summary, error) {
	sum, err := s.Writer.Commit(ctx)
	s.w.ended(err)
	return sum, err
}

// Abort implements protection.Writer.
func (s writer) Abort(ctx context.Context) error {
	err := s.Writer.Abort(ctx)
	s.w.ended(err)
	return err
}

// reader is a stream whose bytes and whose end are movement.
type reader struct {
	protection.Reader
	w *Watch
}

// Read implements io.Reader.
func (s reader) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.w.bytes(n)
	return n, err
}

// Close implements io.Closer.
func (s reader) Close() error {
	err := s.Reader.Close()
	s.w.ended(err)
	return err
}

// source is what a stream is written from.
type source struct {
	io.Reader
	w *Watch
}

// Read implements io.Reader.
func (s source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.w.bytes(n)
	return n, err
}
