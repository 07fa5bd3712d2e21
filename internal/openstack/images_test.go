package openstack

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

func TestImagesStreamBothWays(t *testing.T) {
	data := bytes.Repeat([]byte("karbor"), 100_000)
	var stored []byte
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			stored, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write(stored)
	})
	client := imageClient(t, s)
	if err := UploadImage(t.Context(), client, "i", bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	r, _, err := DownloadImage(t.Context(), client, "i")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) || r.Close() != nil {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestImagesMayTakeLongerThanACall(t *testing.T) {
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(5 * time.Millisecond) // longer than a call's time-out
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	client := imageClient(t, s)
	client.HTTPClient.Transport = testTransport(t, Options{Timeout: time.Millisecond, IdleTimeout: time.Minute})
	if err := UploadImage(t.Context(), client, "i", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	r, _, err := DownloadImage(t.Context(), client, "i")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
}

// imageClient gives a client of an image service, without a session.
func imageClient(t *testing.T, s *httptest.Server) *gophercloud.ServiceClient {
	p := &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: testTransport(t, Options{})}}
	return &gophercloud.ServiceClient{ProviderClient: p, Endpoint: s.URL + "/", ResourceBase: s.URL + "/v2/", Type: "image"}
}

func TestTruncatedDownloadIsATransientError(t *testing.T) {
	s, _ := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("short"))
	})
	r, size, err := DownloadImage(t.Context(), imageClient(t, s), "i")
	if err != nil || size != 100 {
		t.Fatal(size, err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestUploadTellsItsSourcesError(t *testing.T) {
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	broken := errors.New("the bank is broken")
	half := io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) { return 0, broken }))
	if err := UploadImage(t.Context(), imageClient(t, s), "i", half); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestUploadIsSentOnce(t *testing.T) {
	s, n := answers(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if err := UploadImage(t.Context(), imageClient(t, s), "i", strings.NewReader("all")); !karbor.IsTransient(err) || n.Load() != 1 {
		t.Errorf("got %v after %d requests", err, n.Load())
	}
}

func TestUploadIsNotSentAgainWithHalfItsBytes(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	d, err := a.Delegate(t.Context(), f.identity(a), 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Resume(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	client, err := Compute(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	f.compute = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnauthorized)
	}
	if err := UploadImage(t.Context(), client, "i", strings.NewReader("bytes")); !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
	if n := len(f.lines("PUT ")); n != 1 {
		t.Errorf("%d uploads were sent", n)
	}
}
