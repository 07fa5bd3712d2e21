package layout09

import (
	"context"
	"crypto/md5" //nolint:gosec // the layout's own checksum is an MD5
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/protection"
)

// maxParts bounds the objects of one stream.
const maxParts = 10_000_000

// stream is a resource's bulk data: data_1 to data_N.
type stream struct {
	source Source
	id     string // the checkpoint's
	prefix string // of the resource's objects, with closing slash
	parts  int
	// md5 is what Glance said of all the bytes, or "".
	md5 string

	// encoded says that the objects hold texts in JSON; size is in bytes. They are
	// known once prepared.
	prepared, encoded bool
	size              int64
}

func (s *stream) part(n int) string { return s.prefix + "data_" + strconv.Itoa(n) }

func (s *stream) damaged(n int, err error) error { return &DamageError{s.id, s.part(n), err} }

// prepare looks whether all parts are there, how they are kept, and how many bytes they
// hold. It costs a listing; parts that seem to hold texts are read to their end.
func (s *stream) prepare(ctx context.Context) error {
	if s.prepared {
		return nil
	}
	sizes, err := s.sizes(ctx)
	if err != nil {
		return err
	}
	var size int64
	first := 0 // of those that are not empty
	for n := 1; n <= s.parts; n++ {
		bytes, there := sizes[n]
		if !there {
			return s.damaged(n, errors.New("it is missing"))
		}
		if size += bytes; size < 0 {
			return s.damaged(n, errors.New("there are too many bytes"))
		}
		if first == 0 && bytes > 0 {
			first = n
		}
	}
	if first > 0 {
		if s.encoded, err = s.holdsText(ctx, first, sizes[first]); err != nil {
			return err
		}
	}
	if s.encoded {
		if size, err = s.measureText(ctx, size); err != nil {
			return err
		}
	}
	s.size, s.prepared = size, true
	return nil
}

// measureText gives how many bytes the parts hold that seem to be texts. If the checksum
// tells that they only look so, they hold stored bytes.
func (s *stream) measureText(ctx context.Context, stored int64) (int64, error) {
	size, err := s.measure(ctx)
	if _, damage := errors.AsType[*DamageError](err); !damage || s.md5 == "" {
		return size, err
	}
	s.encoded = false
	if _, rawErr := s.measure(ctx); rawErr == nil {
		return stored, nil
	}
	s.encoded = true
	return 0, err
}

// sizes gives how long the stored parts are.
func (s *stream) sizes(ctx context.Context) (map[int]int64, error) {
	sizes := map[int]int64{}
	prefix := s.prefix + "data_"
	for marker := ""; ; {
		infos, err := s.source.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", prefix, err)
		}
		for _, i := range infos {
			marker = i.Key
			number := strings.TrimPrefix(i.Key, prefix)
			if n, err := strconv.Atoi(number); err == nil && n > 0 && n <= s.parts && strconv.Itoa(n) == number {
				sizes[n] = i.Size
			}
		}
		if len(infos) < bank.MaxList {
			return sizes, nil
		}
	}
}

// holdsText reports whether a part is a text in JSON.
func (s *stream) holdsText(ctx context.Context, n int, size int64) (bool, error) {
	if size < 2 {
		return false, nil
	}
	for _, at := range []int64{0, size - 1} {
		body, err := s.source.Get(ctx, s.part(n), at, 1)
		if err != nil {
			return false, err
		}
		quote, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close()); err != nil || string(quote) != `"` {
			return false, err
		}
	}
	body, err := s.source.Get(ctx, s.part(n), 0, -1)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, newJSONText(body))
	if err = errors.Join(err, body.Close()); errors.Is(err, errNoText) {
		return false, nil
	}
	return err == nil, err
}

// measure gives how many bytes the parts hold, by reading them.
func (s *stream) measure(ctx context.Context) (int64, error) {
	r := s.reader(ctx)
	n, err := io.Copy(io.Discard, r)
	return n, errors.Join(err, r.Close())
}

func (s *stream) reader(ctx context.Context) *reader {
	return &reader{ctx: ctx, stream: s, digest: md5.New()} //nolint:gosec // the layout's own checksum is an MD5
}

// reader gives the bytes of a stream. It is a protection.Reader.
type reader struct {
	ctx    context.Context
	stream *stream
	digest hash.Hash
	n      int // of the part that is open, or was
	body   io.ReadCloser
	text   io.Reader
	err    error
}

// Read implements io.Reader. The layout has one checksum for all the bytes: instead of
// their end there is a *DamageError if it is another.
func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil && len(p) > 0 {
		if r.body == nil && !r.next() {
			break
		}
		n, err := r.text.Read(p)
		_, _ = r.digest.Write(p[:n]) // never fails: see hash.Hash
		switch {
		case err == io.EOF:
			r.err = r.body.Close()
			r.body = nil
		case errors.Is(err, errNoText):
			r.err = r.stream.damaged(r.n, err)
		case err != nil:
			r.err = fmt.Errorf("reading %s: %w", r.stream.part(r.n), err)
		}
		if n > 0 {
			return n, nil
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, r.err
}

// next opens the next part, if there is one.
func (r *reader) next() bool {
	if r.n == r.stream.parts {
		r.err = r.end()
		return false
	}
	r.n++
	body, err := r.stream.source.Get(r.ctx, r.stream.part(r.n), 0, -1)
	if karbor.KindOf(err) == karbor.NotFound {
		err = r.stream.damaged(r.n, errors.New("it is missing"))
	}
	if err != nil {
		r.err = err
		return false
	}
	r.body, r.text = body, body
	if r.stream.encoded {
		r.text = newJSONText(body)
	}
	return true
}

// end compares the checksum, and gives io.EOF if it is right.
func (r *reader) end() error {
	got := hex.EncodeToString(r.digest.Sum(nil))
	if r.stream.md5 != "" && !strings.EqualFold(got, r.stream.md5) {
		return &DamageError{r.stream.id, r.stream.prefix + "metadata",
			fmt.Errorf("its checksum is %s, and that of the bytes %s", r.stream.md5, got)}
	}
	return io.EOF
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body, r.err = nil, errors.Join(r.err, io.ErrClosedPipe)
	return err
}

// Summary implements protection.Reader. There is no SHA-256 in this layout.
func (r *reader) Summary() protection.Summary { return protection.Summary{Size: r.stream.size} }

var _ protection.Reader = (*reader)(nil)
