//go:build temporal

package temporal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/temporal/temporaltest"
)

func TestRealClusterIsUsedWithCertificatesOfBothSides(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := a.of("127.0.0.1")
	own, secret := a.of("karbor")
	s, err := temporaltest.StartTLS(t.Context(), file("cert.pem", cert), file("key.pem", []byte(key.Reveal())), file("ca.pem", a.pem),
		file("own.pem", own), file("own-key.pem", []byte(secret.Reveal())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := Cluster{Address: s.Address, Namespace: temporaltest.Namespace, TLS: true, CA: a.pem, Certificate: own, Key: secret}
	ran := make(chan string, 1)
	e, err := Open(t.Context(), Options{Cluster: c, Owner: "test", Now: time.Now, Options: workflow.Options{Actions: map[string]workflow.Action{
		"work": func(_ context.Context, t *workflow.Task) error {
			ran <- t.Operation
			return nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- e.Run(ctx) }()
	if err := e.Start(t.Context(), "secured", workflow.Steps{{ID: "one", Action: "work"}}); err != nil {
		t.Error(err)
	}
	if got := <-ran; got != "secured" {
		t.Errorf("%s ran", got)
	}
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	c.Certificate = nil
	if _, failure := opened(t, c); !strings.Contains(failure, "certificate") {
		t.Errorf("without a certificate: %q", failure)
	}
}
