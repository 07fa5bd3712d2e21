package temporal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
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
	if err := c.look(ctx, connection, log); err != nil {
		connection.Close()
		return nil, err
	}
	return connection, nil
}

// look makes sure that the cluster answers, is new enough, and has the namespace.
func (c Cluster) look(ctx context.Context, connection client.Client, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	// The SDK hides why a connection can't be made: so it is made once here.
	if err := c.touch(ctx); err != nil {
		return fmt.Errorf("connecting to the Temporal cluster at %s: %w", c.Address, err)
	}
	found, err := connection.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.Namespace})
	missing, _ := errors.AsType[*serviceerror.NamespaceNotFound](err)
	denied, _ := errors.AsType[*serviceerror.PermissionDenied](err)
	switch {
	case missing != nil:
		return fmt.Errorf("the Temporal cluster at %s has no namespace %q: make it, as docs/operators/scale-out.md says", c.Address, c.Namespace)
	case denied != nil:
		return fmt.Errorf("the Temporal cluster at %s does not let this process use the namespace %q: %w", c.Address, c.Namespace, err)
	case err != nil:
		return fmt.Errorf("the Temporal cluster at %s does not answer as one: %w", c.Address, err)
	case found.GetNamespaceInfo().GetState() != enums.NAMESPACE_STATE_REGISTERED:
		return fmt.Errorf("the namespace %q of the Temporal cluster at %s is %s: make another, as docs/operators/scale-out.md says",
			c.Namespace, c.Address, strings.ToLower(found.GetNamespaceInfo().GetState().String()))
	}
	return c.inspect(ctx, connection, log)
}

// oldest is the oldest release of the cluster that is tested, major and minor.
var oldest = [2]int{1, 29}

// inspect looks what the cluster is. One that does not tell this process is used as it is.
func (c Cluster) inspect(ctx context.Context, connection client.Client, log *slog.Logger) error {
	info, err := connection.WorkflowService().GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{})
	if err != nil {
		log.WarnContext(ctx, "the Temporal cluster does not say what it is", "address", c.Address, "error", err)
		return nil
	}
	var release [2]int
	n, _ := fmt.Sscanf(info.GetServerVersion(), "%d.%d", &release[0], &release[1])
	if n == len(release) && slices.Compare(release[:], oldest[:]) < 0 {
		return fmt.Errorf("the Temporal cluster at %s has the release %s; Karbor needs %d.%d or newer", c.Address, info.GetServerVersion(), oldest[0], oldest[1])
	}
	attrs := []any{"address", c.Address, "namespace", c.Namespace, "release", info.GetServerVersion(), "store", info.GetPersistenceStore()}
	switch store := info.GetPersistenceStore(); {
	case strings.Contains(store, "sqlite"):
		log.WarnContext(ctx, "the Temporal cluster is a development server: what it holds is lost when it ends", attrs...)
	case !strings.HasPrefix(store, "postgres") && !strings.HasPrefix(store, "mysql8"):
		log.WarnContext(ctx, "connected to the Temporal cluster, whose store is none that Karbor is meant for: PostgreSQL or MySQL 8", attrs...)
	default:
		log.InfoContext(ctx, "connected to the Temporal cluster", attrs...)
	}
	if !c.TLS && !c.near() {
		log.WarnContext(ctx, "what goes to the Temporal cluster and comes from it is not encrypted: set engine.temporal.tls", "address", c.Address)
	}
	return nil
}

// near reports whether the cluster is on this machine, as far as its address tells.
func (c Cluster) near() bool {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
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
	if security != nil {
		err = refusal(ctx, connection)
	}
	return errors.Join(err, connection.Close())
}

// refusalTime is how long it is waited for a refusal.
const refusalTime = 2 * time.Second

// refusal gives the reason where a server does not take this process's certificate: by TLS
// 1.3 it says so after its own part is done. A server that takes it speaks first, or waits.
func refusal(ctx context.Context, connection net.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, refusalTime)
	defer cancel()
	until, _ := ctx.Deadline()
	if err := connection.SetReadDeadline(until); err != nil {
		return err
	}
	_, err := connection.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil
	}
	return err
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
