package apiserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Options say what to start, and how.
type Options struct {
	// Programs is the folder of the programs kube-apiserver and kube-controller-manager.
	Programs string
	// Tokens are the secrets that may be given to Kubeconfig; each is a user of its own.
	Tokens []string
	// Now gives the time.
	Now func() time.Time
}

// Server is a running cluster without nodes. It is safe for concurrent use.
type Server struct {
	// URL is where it is: https://127.0.0.1:port.
	URL string

	folder    string
	authority *authority
	tokens    []string
	processes []*process
	admin     dynamic.Interface
	transport *http.Transport
	config    *rest.Config

	stopping context.CancelFunc
	kubelet  sync.WaitGroup

	mu     sync.Mutex
	phases map[string]string // what becomes of pods by name, in place of Running
	put    map[string]bool   // uids of pods whose phase Put has set
}

// startTime is how long all together may take to be ready.
const startTime = 3 * time.Minute

// ErrNoEtcd says that etcd is not installed.
var ErrNoEtcd = errors.New("no etcd on this machine (Debian: apt install etcd-server)")

// Start starts a cluster. Close ends it. The error is ErrNoEtcd where that is missing.
func Start(ctx context.Context, o Options) (*Server, error) {
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		return nil, ErrNoEtcd
	}
	folder, err := os.MkdirTemp("", "karbor-kubernetes-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, tokens: o.Tokens, phases: map[string]string{}, put: map[string]bool{}}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.start(ctx, etcd, o); err != nil {
		s.Close()
		return nil, fmt.Errorf("starting Kubernetes: %w", err)
	}
	return s, nil
}

// Close ends all of it.
func (s *Server) Close() {
	if s.stopping != nil {
		s.stopping()
	}
	s.kubelet.Wait()
	for _, p := range slices.Backward(s.processes) {
		p.stop()
	}
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
	_ = os.RemoveAll(s.folder)
}

func (s *Server) start(ctx context.Context, etcd string, o Options) error {
	free, err := ports(ctx, 3)
	if err != nil {
		return err
	}
	s.URL = "https://127.0.0.1:" + free[2]
	if err := s.papers(o.Now()); err != nil {
		return err
	}
	if err := s.startEtcd(ctx, etcd, free[0], free[1]); err != nil {
		return err
	}
	if err := s.startServer(ctx, filepath.Join(o.Programs, "kube-apiserver"), free[0], free[2]); err != nil {
		return err
	}
	if err := s.startControllers(filepath.Join(o.Programs, "kube-controller-manager")); err != nil {
		return err
	}
	s.startKubelet(ctx)
	return nil
}

// administrator is the user of the certificates that the cluster's own parts show.
const administrator = "karbor-test-administrator"

// papers makes certificates, keys, tokens and the controllers' kubeconfig.
func (s *Server) papers(now time.Time) error {
	var err error
	if s.authority, err = newAuthority(s.folder, now); err != nil {
		return err
	}
	var tokens strings.Builder
	for i, t := range s.tokens {
		fmt.Fprintf(&tokens, "%s,%s,%d\n", t, user(t), i+1)
	}
	errs := []error{
		s.authority.issue("server", "kube-apiserver", ""), s.authority.issue("etcd", "etcd", ""),
		s.authority.issue("admin", administrator, "system:masters"), s.authority.signer(),
		os.WriteFile(s.file("tokens.csv"), []byte(tokens.String()), 0o600),
		os.WriteFile(s.file("kubeconfig"), fmt.Appendf(nil, "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- {name: c, cluster: {server: %q, certificate-authority: %q}}\n"+
			"users:\n- {name: c, user: {client-certificate: %q, client-key: %q}}\ncontexts:\n- {name: c, context: {cluster: c, user: c}}\n",
			s.URL, s.file("ca.pem"), s.file("admin.pem"), s.file("admin.key")), 0o600),
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(s.file("admin.pem"), s.file("admin.key"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.authority.PEM)
	s.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	s.config = &rest.Config{Host: s.URL, QPS: 1000, Burst: 1000, UserAgent: "karbor-test"}
	s.admin, err = dynamic.NewForConfigAndClient(s.config, &http.Client{Transport: s.transport})
	return err
}

func (s *Server) file(name string) string { return filepath.Join(s.folder, name) }

// launch starts a program, which Close ends.
func (s *Server) launch(program string, args ...string) (*process, error) {
	p, err := launch(s.folder, program, args...)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return p, err
}

func (s *Server) startEtcd(ctx context.Context, program, client, peer string) error {
	address, peers := "https://127.0.0.1:"+client, "http://127.0.0.1:"+peer
	p, err := s.launch(program, "--name=test", "--data-dir="+s.file("etcd"), "--listen-client-urls="+address, "--advertise-client-urls="+address,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=test="+peers, "--unsafe-no-fsync",
		"--client-cert-auth", "--trusted-ca-file="+s.file("ca.pem"), "--cert-file="+s.file("etcd.pem"), "--key-file="+s.file("etcd.key"))
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error { return s.ok(ctx, address+"/health") })
}

func (s *Server) startServer(ctx context.Context, program, etcd, port string) error {
	p, err := s.launch(program, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+s.folder,
		"--tls-cert-file="+s.file("server.pem"), "--tls-private-key-file="+s.file("server.key"), "--client-ca-file="+s.file("ca.pem"),
		"--etcd-servers=https://127.0.0.1:"+etcd, "--etcd-cafile="+s.file("ca.pem"), "--etcd-certfile="+s.file("admin.pem"), "--etcd-keyfile="+s.file("admin.key"),
		"--token-auth-file="+s.file("tokens.csv"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file="+s.file("signer.key"), "--service-account-key-file="+s.file("signer.key"))
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error { return s.ok(ctx, s.URL+"/readyz") })
}

// controllers are those that pods and their volumes have to do with.
const controllers = "persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,persistentvolume-protection-controller," +
	"ephemeral-volume-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,namespace-controller"

func (s *Server) startControllers(program string) error {
	_, err := s.launch(program, "--kubeconfig="+s.file("kubeconfig"), "--controllers="+controllers, "--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=0",
		"--service-account-private-key-file="+s.file("signer.key"), "--root-ca-file="+s.file("ca.pem"), "--pvclaimbinder-sync-period=1s")
	return err
}

// ok looks whether an address answers 200.
func (s *Server) ok(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: s.transport, Timeout: stopTime}).Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // for the message only
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", url, answer.StatusCode, text)
	}
	return nil
}

// Transport is the way to the cluster for a client without a certificate, and to any other
// place.
func (s *Server) Transport() http.RoundTripper {
	t := s.transport.Clone()
	t.TLSClientConfig.Certificates = nil
	return t
}
