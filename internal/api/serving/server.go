// Package serving is the socket side of the API: TLS, HTTP/1.1 and HTTP/2, how long
// a slow client may take, how many connections there are, and the end.
package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options of New.
type Options struct {
	Handler http.Handler
	// CertFile and KeyFile are PEM files; with both empty there is no TLS. They are
	// read anew when they change.
	CertFile, KeyFile string
	// H2C lets clients that know beforehand speak HTTP/2 without TLS. With TLS,
	// HTTP/2 is always offered.
	H2C bool
	// HeaderLimit is the size of headers that Handler itself refuses; what is far
	// larger is refused before it is read to the end.
	HeaderLimit int
	// ReadHeader, Read, Write and Idle bound how long a client may take to send the
	// headers, the whole request, to take the answer, and to be silent between
	// requests.
	ReadHeader, Read, Write, Idle time.Duration
	// Connections is how many there are at a time; further ones wait to be
	// accepted. 0 sets no bound.
	Connections int
	Now         func() time.Time
	Logger      *slog.Logger
}

// Server serves a handler on one listener.
type Server struct {
	http        *http.Server
	tls         bool
	connections int
}

// headerSlack is how much larger headers may be than what the handler takes, so
// that it is the handler that refuses them, in the API's words.
const headerSlack = 4

// New makes a server. It reads the certificate.
func New(o Options) (*Server, error) {
	s := &Server{connections: o.Connections, http: &http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: o.ReadHeader, ReadTimeout: o.Read, WriteTimeout: o.Write, IdleTimeout: o.Idle,
		MaxHeaderBytes: headerSlack * o.HeaderLimit,
		ErrorLog:       slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		Protocols:      &http.Protocols{},
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100, WriteByteTimeout: o.Write, SendPingTimeout: o.Idle},
	}}
	s.http.Protocols.SetHTTP1(true)
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("a TLS certificate and its key are needed together")
	}
	if o.CertFile == "" {
		s.http.Protocols.SetUnencryptedHTTP2(o.H2C)
		return s, nil
	}
	c, err := openCertificate(o.CertFile, o.KeyFile, o.Now, o.Logger)
	if err != nil {
		return nil, err
	}
	s.tls = true
	s.http.Protocols.SetHTTP2(true)
	s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	return s, nil
}

// Serve accepts connections on l until the server stops. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if s.connections > 0 {
		l = newBounded(l, s.connections)
	}
	if s.tls {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

// TLS reports whether clients must speak TLS.
func (s *Server) TLS() bool { return s.tls }

// Stop accepts no more, and lets the requests that run finish until ctx ends; then it
// cuts them off and says so.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stopping the API: %w", err), s.http.Close())
	}
	return nil
}
