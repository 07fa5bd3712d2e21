package serving_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/api/serving"
)

func ok(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		w.WriteHeader(http.StatusRequestTimeout)
		return
	}
	_, _ = io.WriteString(w, r.Proto)
}

// start serves and gives the address.
func start(t *testing.T, o serving.Options) string {
	t.Helper()
	if o.Handler == nil {
		o.Handler = http.HandlerFunc(ok)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = slog.New(slog.DiscardHandler)
	o.HeaderLimit = 4 << 10
	s, err := serving.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Stop(ctx)
		if err := receive(t, "the end of serving", done); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving ended with %v", err)
		}
	})
	return l.Addr().String()
}

// talk opens a connection, writes text, and gives all that comes until the server
// closes it.
func talk(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the server keeps the connection open after %.20q", text)
	}
	return string(got)
}

func TestASlowClientLosesItsConnection(t *testing.T) {
	t.Parallel()
	address := start(t, serving.Options{ReadHeader: 150 * time.Millisecond, Read: 300 * time.Millisecond, Idle: 150 * time.Millisecond, Write: time.Second})
	if got := talk(t, address, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: 1"); strings.Contains(got, "200 OK") {
		t.Errorf("half a header is answered with %q", got)
	}
	if got := talk(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.Contains(got, "200 OK") {
		t.Errorf("a whole request is answered with %q", got)
	}
	if got := talk(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"); !strings.Contains(got, "408") {
		t.Errorf("half a body is answered with %q", got)
	}
}

func TestASlowLorisGetsNowhere(t *testing.T) {
	t.Parallel()
	address := start(t, serving.Options{ReadHeader: 300 * time.Millisecond, Read: time.Second, Idle: time.Second, Write: time.Second, Connections: 40})
	var conns []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	// A header line now and then does not keep the connection.
	stop := time.Now().Add(600 * time.Millisecond)
	for i := 0; time.Now().Before(stop); i++ {
		for _, c := range conns {
			_, _ = io.WriteString(c, "X-More: 1\r\n")
		}
		time.Sleep(50 * time.Millisecond)
	}
	client := &http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + address)
	if err != nil {
		t.Fatalf("an honest client is not served: %v", err)
	}
	resp.Body.Close()
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if rest, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "timeout") || strings.Contains(string(rest), "200 OK") {
			t.Errorf("a slow one is served: %v %q", err, rest)
		}
		_ = c.Close()
	}
}

func TestMoreConnectionsThanTheBoundWait(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	release := make(chan struct{})
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		<-release
		now.Add(-1)
	})
	address := start(t, serving.Options{Handler: handler, Connections: 2, ReadHeader: time.Second, Read: 5 * time.Second, Idle: time.Second, Write: 5 * time.Second})
	answers := make(chan error, 6)
	for range 6 {
		go func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Get("http://" + address)
			if err == nil {
				resp.Body.Close()
			}
			answers <- err
		}()
	}
	until(t, "two requests are there", func() bool { return now.Load() >= 2 })
	close(release)
	for range 6 {
		if err := receive(t, "an answer", answers); err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 2 {
		t.Errorf("%d at a time", most.Load())
	}
}

func TestHTTP2WithoutTLSIsForThoseWhoConfigureIt(t *testing.T) {
	t.Parallel()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	for _, h2c := range []bool{true, false} {
		address := start(t, serving.Options{H2C: h2c, ReadHeader: time.Second, Read: time.Second, Idle: time.Second, Write: time.Second})
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Protocols: protocols}}
		resp, err := client.Get("http://" + address)
		if h2c != (err == nil) {
			t.Errorf("h2c %v: %v", h2c, err)
		}
		if err == nil {
			if resp.Proto != "HTTP/2.0" {
				t.Errorf("it speaks %s", resp.Proto)
			}
			resp.Body.Close()
		}
		plain, err := (&http.Client{Timeout: 5 * time.Second}).Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		plain.Body.Close()
	}
}

// certify writes a certificate for localhost with a serial number.
func certify(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// Two writes within one tick of the file system's clock still differ.
		if err := os.Chtimes(path, time.Time{}, time.Unix(1_800_000_000+serial, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLSSpeaksHTTP2AndTakesANewCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certify(t, dir, 1)
	var clock atomic.Int64
	address := start(t, serving.Options{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
		ReadHeader: time.Second, Read: 5 * time.Second, Idle: time.Second, Write: 5 * time.Second,
		Now: func() time.Time { return time.Unix(1_800_000_000+clock.Add(2), 0) },
	})
	serial := func(maxVersion uint16) (int64, string, error) {
		//nolint:gosec // the test is about which certificate comes
		c := &tls.Config{InsecureSkipVerify: true, MaxVersion: maxVersion, MinVersion: tls.VersionTLS10}
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		resp, err := client.Get("https://" + address)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), resp.Proto, nil
	}
	want := func(n int64) {
		t.Helper()
		if got, proto, err := serial(0); err != nil || got != n || proto != "HTTP/2.0" {
			t.Errorf("certificate %d over %s, %v; want %d", got, proto, err, n)
		}
	}
	want(1)
	if _, _, err := serial(tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	certify(t, dir, 2)
	want(2)
	// A key that does not fit, or no file at all, leaves the old one in use.
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(2)
	if err := os.Remove(filepath.Join(dir, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	want(2)
	certify(t, dir, 3)
	want(3)
}

func TestACertificateThatCanNotBeReadStopsTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certify(t, dir, 1)
	cert := filepath.Join(dir, "cert.pem")
	for name, o := range map[string]serving.Options{
		"no key":       {CertFile: cert},
		"no such key":  {CertFile: cert, KeyFile: filepath.Join(dir, "none")},
		"a wrong key":  {CertFile: cert, KeyFile: cert},
		"only the key": {KeyFile: cert},
	} {
		o.Now, o.Logger = time.Now, slog.New(slog.DiscardHandler)
		if _, err := serving.New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	s, err := serving.New(serving.Options{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "done")
		}),
		ReadHeader: time.Second, Read: 5 * time.Second, Idle: time.Second, Write: 5 * time.Second,
		Now: time.Now, Logger: slog.New(slog.DiscardHandler), HeaderLimit: 4096,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	receive(t, "the request", entered)
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- s.Stop(ctx)
	}()
	if err := receive(t, "the end of serving", served); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving ended with %v", err)
	}
	if other, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_ = other.Close()
		t.Error("new connections are taken while the server stops")
	}
	close(release)
	if err := receive(t, "the end of the stop", stopped); err != nil {
		t.Error(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "done" {
		t.Errorf("the request that ran got %q, %v", text, err)
	}
}

// patience bounds what a test waits for; it never decides what is right.
const patience = 30 * time.Second

// receive takes from a channel what must come.
func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing came in %v", what, patience)
	}
	return v
}

// until waits for what must become true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not in %v", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}
