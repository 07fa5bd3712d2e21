// Command temporal is the Temporal server that the tests of the engine of that name
// run against: the real one, on PostgreSQL, in one process. It is no part of Karbor.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

// settings are the flags.
type settings struct {
	// listen is the address that serves clients; its port and the three after it must
	// be free.
	host string
	port int
	// database is the address of the PostgreSQL server.
	database, user, password string
	// prefix begins the names of the two databases.
	prefix    string
	namespace string
	// cert, key and ca are files: with them, clients need a certificate too.
	cert, key, ca string
	// clientCert and clientKey are this program's own certificate as a client.
	clientCert, clientKey string
	log                   string
}

func main() {
	s := settings{}
	flag.StringVar(&s.host, "host", "127.0.0.1", "address to listen on")
	flag.IntVar(&s.port, "port", 7233, "port for clients; the three after it are taken too")
	flag.StringVar(&s.database, "database", "", "host:port of PostgreSQL")
	flag.StringVar(&s.user, "user", "", "user of PostgreSQL")
	flag.StringVar(&s.password, "password", os.Getenv("TEMPORAL_PASSWORD"), "password of PostgreSQL")
	flag.StringVar(&s.prefix, "prefix", "temporal", "name of the first database; the other's is this and _visibility")
	flag.StringVar(&s.namespace, "namespace", "karbor", "namespace to make")
	flag.StringVar(&s.cert, "cert", "", "certificate file")
	flag.StringVar(&s.key, "key", "", "file of the certificate's key")
	flag.StringVar(&s.ca, "ca", "", "file of the authority that signed the clients' certificates")
	flag.StringVar(&s.clientCert, "client-cert", "", "certificate file of this program as a client of itself")
	flag.StringVar(&s.clientKey, "client-key", "", "file of that certificate's key")
	flag.StringVar(&s.log, "log", "", "file of the server's log")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "temporal:", err)
		os.Exit(1)
	}
}

// run serves until a signal comes. When a client can use the namespace, it prints
// "ready".
func run(s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.schemas(); err != nil {
		return fmt.Errorf("making the schemas: %w", err)
	}
	server, err := s.server()
	if err != nil {
		return fmt.Errorf("making the server: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("starting the server: %w", err)
	}
	defer func() { _ = server.Stop() }()
	if err := s.register(ctx); err != nil {
		return fmt.Errorf("making the namespace: %w", err)
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// retention is how long the server keeps what is over.
const retention = 24 * time.Hour

// register makes the namespace, and waits until it can be used.
func (s settings) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	security, err := s.clientTLS()
	if err != nil {
		return err
	}
	c, err := client.NewLazyClient(client.Options{
		HostPort: s.address(0), Namespace: s.namespace, Logger: sdklog.NewStructuredLogger(silent()),
		ConnectionOptions: client.ConnectionOptions{TLS: security},
	})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: s.namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		var exists *serviceerror.NamespaceAlreadyExists
		if err == nil || errors.As(err, &exists) {
			break
		}
		if err := pause(ctx, err); err != nil {
			return err
		}
	}
	for {
		// What is asked of the namespace itself comes through as soon as all parts of
		// the server know it.
		_, err := c.DescribeWorkflowExecution(ctx, "none", "")
		var missing *serviceerror.NotFound
		if errors.As(err, &missing) {
			return nil
		}
		if err := pause(ctx, err); err != nil {
			return err
		}
	}
}

// pause waits before the next try; cause is told if there is no time for one.
func pause(ctx context.Context, cause error) error {
	select {
	case <-ctx.Done():
		return cause
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}
