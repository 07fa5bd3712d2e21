package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/karbor/karbor"
)

const (
	dialTimeout = 10 * time.Second
	idleConns   = 16
)

// errStalled ends a call that makes no progress.
var errStalled = errors.New("no progress within the time-out")

// answer is what a call's answer tells beside its content.
type answer struct {
	// date is the server's time, zero if it tells none.
	date time.Time
	// swift says that the server is OpenStack Swift.
	swift bool
	// partial says that the answer has a part of an object.
	partial bool
}

type answerKey struct{}

// withAnswer gives a context whose calls fill in the answer.
func withAnswer(ctx context.Context) (context.Context, *answer) {
	a := &answer{}
	return context.WithValue(ctx, answerKey{}, a), a
}

// courier carries requests, and ends those that make no progress.
type courier struct {
	base *http.Transport
	idle time.Duration
}

func newCourier(o Options) (*courier, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, karbor.Errorf(karbor.Invalid, "ca_file: %w", err)
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, karbor.Errorf(karbor.Invalid, "ca_file: %s holds no certificate in PEM form", o.CAFile)
		}
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &courier{idle: o.IdleTimeout, base: &http.Transport{
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		MaxIdleConns:          idleConns,
		MaxIdleConnsPerHost:   idleConns,
		IdleConnTimeout:       time.Minute,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       64 << 10,
		// What is stored is never to be unpacked on the way.
		DisableCompression: true,
	}}, nil
}

// RoundTrip implements http.RoundTripper.
func (c *courier) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{ctx: ctx, cancel: cancel, limit: c.idle}
	w.timer = time.AfterFunc(c.idle, func() { cancel(errStalled) })
	sent := req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		sent.Body = &watchedBody{ReadCloser: req.Body, watch: w}
	}
	resp, err := c.base.RoundTrip(sent)
	if err != nil {
		err = w.explain(err)
		w.stop()
		return nil, err
	}
	if a, ok := ctx.Value(answerKey{}).(*answer); ok {
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			a.date = date
		}
		a.swift = resp.Header.Get("X-Openstack-Request-Id") != "" || resp.Header.Get("X-Trans-Id") != ""
		a.partial = resp.StatusCode == http.StatusPartialContent
	}
	w.timer.Stop() // until somebody reads
	resp.Body = &watchedAnswer{ReadCloser: resp.Body, watch: w}
	return resp, nil
}

// watch ends a call when its timer runs out.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

// explain gives errStalled in place of the error that it led to.
func (w *watch) explain(err error) error {
	if errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// watchedBody is what is sent: each read of it is progress.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.timer.Reset(b.watch.limit)
	return b.ReadCloser.Read(p)
}

// watchedAnswer is what comes back: the time runs while a read waits for bytes.
type watchedAnswer struct {
	io.ReadCloser
	watch *watch
}

// Read implements io.Reader.
func (b *watchedAnswer) Read(p []byte) (int, error) {
	b.watch.timer.Reset(b.watch.limit)
	n, err := b.ReadCloser.Read(p)
	b.watch.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.explain(err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedAnswer) Close() error {
	err := b.ReadCloser.Close()
	b.watch.stop()
	return err
}
