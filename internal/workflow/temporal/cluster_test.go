package temporal

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/karbor/karbor"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t}
	text, _, key := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return authority{t, cert, key, text}
}

// sign makes a certificate and its key, as PEM; the first is the authority's own.
func (a authority) sign(c *x509.Certificate) (cert, key []byte, private *ecdsa.PrivateKey) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, private
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &private.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), private
}

// of gives a certificate for a server of a name and address, or for a client.
func (a authority) of(name string) (cert []byte, key karbor.Secret) {
	text, secret, _ := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return text, karbor.Secret(secret)
}

// frontend is what a cluster says of itself.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	state          enums.NamespaceState
	release, store string
	silent, denies bool
}

// GetSystemInfo implements workflowservice.WorkflowServiceServer.
func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// DescribeNamespace implements workflowservice.WorkflowServiceServer.
func (f *frontend) DescribeNamespace(_ context.Context, r *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	switch {
	case f.denies:
		return nil, serviceerror.NewPermissionDenied("no", "policy")
	case r.GetNamespace() != "karbor":
		return nil, serviceerror.NewNamespaceNotFound(r.GetNamespace())
	}
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{Name: "karbor", State: f.state}}, nil
}

// GetClusterInfo implements workflowservice.WorkflowServiceServer.
func (f *frontend) GetClusterInfo(context.Context, *workflowservice.GetClusterInfoRequest) (*workflowservice.GetClusterInfoResponse, error) {
	if f.silent {
		return nil, serviceerror.NewPermissionDenied("no", "policy")
	}
	return &workflowservice.GetClusterInfoResponse{ServerVersion: f.release, PersistenceStore: f.store}, nil
}

// listen serves a frontend, with TLS if security is given, and gives its address.
func listen(t *testing.T, f *frontend, security *tls.Config) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var options []grpc.ServerOption
	if security != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(security)))
	}
	// Errors go to the client as the real server's do: with their details.
	options = append(options, grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		answer, err := next(ctx, r)
		if err != nil {
			return nil, serviceerror.ToStatus(err).Err()
		}
		return answer, nil
	}))
	s := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(s, f)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = s.Serve(l) // it ends with the test
	}()
	t.Cleanup(func() {
		s.Stop()
		<-over
	})
	return l.Addr().String()
}

// opened opens an engine, and gives what it logs, and the error's text.
func opened(t *testing.T, c Cluster) (log, failure string) {
	t.Helper()
	var out bytes.Buffer
	e, err := Open(t.Context(), Options{Cluster: c, Owner: "test", Now: time.Now, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		return out.String(), err.Error()
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	return out.String(), ""
}

func sound() *frontend {
	return &frontend{state: enums.NAMESPACE_STATE_REGISTERED, release: "1.29.1", store: "postgres12"}
}

func TestClusterIsLookedAtBeforeItIsUsed(t *testing.T) {
	for name, test := range map[string]struct {
		change       func(*frontend, *Cluster)
		log, failure string
	}{
		"that is sound":         {func(*frontend, *Cluster) {}, "store=postgres12", ""},
		"that tells nothing":    {func(f *frontend, _ *Cluster) { f.silent = true }, "does not say what it is", ""},
		"of a strange release":  {func(f *frontend, _ *Cluster) { f.release = "main-abc" }, "connected to", ""},
		"for development":       {func(f *frontend, _ *Cluster) { f.store = "sqlite" }, "a development server", ""},
		"on another store":      {func(f *frontend, _ *Cluster) { f.store = "cassandra" }, "PostgreSQL or MySQL 8", ""},
		"that is too old":       {func(f *frontend, _ *Cluster) { f.release = "1.9.4" }, "", "has the release 1.9.4; Karbor needs 1.29 or newer"},
		"without the namespace": {func(_ *frontend, c *Cluster) { c.Namespace = "other" }, "", `has no namespace "other": make it`},
		"that denies access":    {func(f *frontend, _ *Cluster) { f.denies = true }, "", `does not let this process use the namespace "karbor"`},
		"with a namespace that goes": {
			func(f *frontend, _ *Cluster) { f.state = enums.NAMESPACE_STATE_DELETED }, "", `the namespace "karbor" of the Temporal cluster`,
		},
		"that is not there": {func(_ *frontend, c *Cluster) { c.Address = "127.0.0.1:1" }, "", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			f := sound()
			c := Cluster{Address: listen(t, f, nil), Namespace: "karbor"}
			test.change(f, &c)
			log, failure := opened(t, c)
			if !strings.Contains(log, test.log) || (test.failure == "") != (failure == "") || !strings.Contains(failure, test.failure) {
				t.Errorf("the log is %q, the error %q", log, failure)
			}
		})
	}
}

func TestClusterIsReachedWithCertificatesOfBothSides(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	cert, key := ours.of("temporal.example")
	pair, err := tls.X509KeyPair(cert, []byte(key.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	address := listen(t, sound(), &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12,
	})
	own, secret := ours.of("karbor")
	foreign, foreignKey := others.of("karbor")
	good := Cluster{Address: address, Namespace: "karbor", TLS: true, CA: ours.pem, Certificate: own, Key: secret}
	for name, test := range map[string]struct {
		change  func(*Cluster)
		failure string
	}{
		"by address":                 {func(*Cluster) {}, ""},
		"by name":                    {func(c *Cluster) { c.ServerName = "temporal.example" }, ""},
		"under another name":         {func(c *Cluster) { c.ServerName = "elsewhere.example" }, "not elsewhere.example"},
		"trusting others":            {func(c *Cluster) { c.CA = others.pem }, "unknown authority"},
		"without a certificate":      {func(c *Cluster) { c.Certificate, c.Key = nil, "" }, "certificate"},
		"with a foreign certificate": {func(c *Cluster) { c.Certificate, c.Key = foreign, foreignKey }, "certificate"},
		"with another's key":         {func(c *Cluster) { c.Key = foreignKey }, "this process's certificate and key"},
		"trusting nothing":           {func(c *Cluster) { c.CA = []byte("none") }, "the file of certificates to trust holds none"},
		"in the clear":               {func(c *Cluster) { c.TLS = false }, "does not answer as one"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			_, failure := opened(t, c)
			if (test.failure == "") != (failure == "") || !strings.Contains(failure, test.failure) {
				t.Errorf("the error is %q", failure)
			}
			if strings.Contains(failure, string(foreignKey)) {
				t.Error("the error tells the key")
			}
		})
	}
}

func TestAClusterElsewhereIsWarnedOfWithoutEncryption(t *testing.T) {
	for address, near := range map[string]bool{
		"127.0.0.1:7233": true, "[::1]:7233": true, "localhost:7233": true,
		"temporal.example:7233": false, "192.0.2.1:7233": false, "[2001:db8::1]:7233": false, "no port": false,
	} {
		if got := (Cluster{Address: address}).near(); got != near {
			t.Errorf("%s is on this machine: %t", address, got)
		}
	}
}
