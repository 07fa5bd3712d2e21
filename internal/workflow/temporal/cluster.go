package temporal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/karbor/karbor"
)

// Cluster says where a Temporal cluster is, and how it is reached.
type Cluster struct {
	// Address is that of its frontend, host:port.
	Address string
	// Namespace is Karbor's own on the cluster. It must exist.
	Namespace string
	// TLS says that the connection is by TLS. CA, if not nil, holds the certificates to
	// trust instead of the system's; Certificate and Key, if not nil, are this process's,
	// all as PEM. ServerName, if not "", is the name that the cluster's certificate must
	// bear in the place of the address's.
	TLS         bool
	CA          []byte
	Certificate []byte
	Key         karbor.Secret
	ServerName  string
}

// dialTime bounds the look at the cluster at the start.
const dialTime = 15 * time.Second

// dial connects, and looks whether the cluster can be used.
func (c Cluster) dial(ctx context.Context, identity string, log *slog.Logger) (client.Client, error) {
	security, err := c.security()
	if err != nil {
		return nil, fmt.Errorf("connecting to the Temporal cluster at %s: %w", c.Address, err)
	}
	connection, err := client.NewLazyClient(client.Options{
		HostPort: c.Address, Namespace: c.Namespace, Identity: identity,
		Logger:            sdklog.NewStructuredLogger(slog.New(quiet{log.Handler()})),
		ConnectionOptions: client.ConnectionOptions{TLS: security},
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the Temporal cluster at %s: %w", c.Address, err)
	}
	if err := c.look(ctx, connection); err != nil {
		connection.Close()
		return nil, err
	}
	return connection, nil
}

// look makes sure that the cluster answers and has the namespace.
func (c Cluster) look(ctx context.Context, connection client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	// The SDK hides why a connection can't be made: so it is made once here.
	if err := c.touch(ctx); err != nil {
		return fmt.Errorf("connecting to the Temporal cluster at %s: %w", c.Address, err)
	}
	_, err := connection.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.Namespace})
	missing, _ := errors.AsType[*serviceerror.NamespaceNotFound](err)
	denied, _ := errors.AsType[*serviceerror.PermissionDenied](err)
	switch {
	case missing != nil:
		return fmt.Errorf("the Temporal cluster at %s has no namespace %q: make it, as docs/operators/scale-out.md says", c.Address, c.Namespace)
	case denied != nil:
		return fmt.Errorf("the Temporal cluster at %s does not let this process use the namespace %q: %w", c.Address, c.Namespace, err)
	case err != nil:
		return fmt.Errorf("the Temporal cluster at %s does not answer as one: %w", c.Address, err)
	}
	return nil
}

// touch connects to the address, with TLS if that is wanted, and lets go again.
func (c Cluster) touch(ctx context.Context) error {
	security, err := c.security()
	if err != nil {
		return err
	}
	var connection net.Conn
	if security == nil {
		connection, err = (&net.Dialer{}).DialContext(ctx, "tcp", c.Address)
	} else {
		security.NextProtos = []string{"h2"}
		connection, err = (&tls.Dialer{Config: security}).DialContext(ctx, "tcp", c.Address)
	}
	if err != nil {
		return err
	}
	return connection.Close()
}

// security gives the settings of TLS; nil for none.
func (c Cluster) security() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CA != nil {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("the file of certificates to trust holds none")
		}
	}
	if c.Certificate != nil {
		own, err := tls.X509KeyPair(c.Certificate, []byte(c.Key.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("this process's certificate and key: %w", err)
		}
		out.Certificates = []tls.Certificate{own}
	}
	return out, nil
}

// quiet passes on what the SDK logs from warnings on: the rest is its own affairs.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
