package openstack

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/gophercloud/gophercloud/v2"
)

// DownloadImage opens the bytes of an image. size is -1 if Glance does not tell it,
// and 0 for an image without data. Read errors are explained; a stream that ends too
// early is a transient one, never io.EOF. The caller closes the reader.
func DownloadImage(ctx context.Context, client *gophercloud.ServiceClient, id string) (r io.ReadCloser, size int64, err error) {
	resp, err := client.Get(Transfer(ctx), client.ServiceURL("images", id, "file"), nil, &gophercloud.RequestOpts{
		KeepResponseBody: true,
		MoreHeaders:      map[string]string{"Accept": "application/octet-stream"},
		OkCodes:          []int{http.StatusOK, http.StatusNoContent},
	})
	if err != nil {
		return nil, 0, explain(err, "downloading image %s", id)
	}
	if resp.StatusCode == http.StatusNoContent {
		return resp.Body, 0, nil
	}
	return &imageReader{resp.Body, id}, resp.ContentLength, nil
}

type imageReader struct {
	io.ReadCloser
	id string
}

func (r *imageReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = explain(err, "downloading image %s", r.id)
	}
	return n, err
}

// UploadImage sends the bytes of an image that is queued. They are sent as they are
// read, once: after an error the image has to be made anew. An error of r itself is
// returned as it is.
func UploadImage(ctx context.Context, client *gophercloud.ServiceClient, id string, r io.Reader) error {
	source := &sourceReader{r: r}
	_, err := client.Put(Transfer(ctx), client.ServiceURL("images", id, "file"), io.Reader(source), nil, &gophercloud.RequestOpts{
		MoreHeaders: map[string]string{"Content-Type": "application/octet-stream"},
		OkCodes:     []int{http.StatusNoContent},
	})
	failed := source.detach()
	switch {
	case err == nil:
		return nil
	case failed != nil:
		return failed
	}
	return explain(err, "uploading image %s", id)
}

// sourceReader hides everything of a reader but Read, so that nobody winds it back,
// and remembers its error. An answer may come before all is sent, while package
// net/http still reads: detach waits for that and ends it.
type sourceReader struct {
	mu       sync.Mutex
	r        io.Reader
	err      error
	detached bool
}

func (s *sourceReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached {
		return 0, io.ErrClosedPipe
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// detach lets go of the source and gives the error that it had.
func (s *sourceReader) detach() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	return s.err
}
