package serving

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a TLS certificate in two files, read anew when they change.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  [2]fileStamp
	looked time.Time
}

// fileStamp tells whether a file is still the same.
type fileStamp struct {
	at   time.Time
	size int64
}

// lookEvery is how often the files are looked at, at most: a handshake is frequent.
const lookEvery = time.Second

// openCertificate reads the certificate for the first time.
func openCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	stamp, err := c.stamps()
	if err != nil {
		return nil, fmt.Errorf("reading the TLS certificate: %w", err)
	}
	if err := c.load(stamp); err != nil {
		return nil, err
	}
	c.looked = now()
	return c, nil
}

func (c *certificate) stamps() (out [2]fileStamp, err error) {
	for i, path := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return out, err
		}
		out[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return out, nil
}

func (c *certificate) load(stamp [2]fileStamp) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("reading the TLS certificate %s with the key %s: %w", c.certFile, c.keyFile, err)
	}
	c.loaded, c.stamp = &pair, stamp
	return nil
}

// get serves tls.Config.GetCertificate. Files that can't be read, or do not fit each
// other yet, leave the old certificate in use.
func (c *certificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return c.loaded, nil
	}
	c.looked = now
	stamp, err := c.stamps()
	if err == nil && stamp != c.stamp {
		err = c.load(stamp)
		if err == nil {
			c.log.InfoContext(hello.Context(), "the TLS certificate was read anew", "file", c.certFile)
		}
	}
	if err != nil {
		c.log.WarnContext(hello.Context(), "the TLS certificate can't be read anew; the old one stays in use", "error", err)
	}
	return c.loaded, nil
}
