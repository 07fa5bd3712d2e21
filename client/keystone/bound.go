package keystone

import (
	"errors"
	"io"
	"net/http"
)

// maxAnswer is the most bytes of one answer of Keystone's, a catalogue or a page of a list.
const maxAnswer = 16 << 20

var errTooLong = errors.New("the answer is too long")

// bounded reads no more of an answer than an honest Keystone sends.
type bounded struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.base.RoundTrip(r)
	if err == nil {
		res.Body = &boundedBody{ReadCloser: res.Body, left: maxAnswer}
	}
	return res, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	// One more than is left, as that there is one more is what makes it too long.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, errTooLong
	}
	return n, err
}
