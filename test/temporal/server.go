package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // the database
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	sqltool "go.temporal.io/server/tools/sql"
)

// plugin is the name of the server's code for PostgreSQL.
const plugin = "postgres12"

// services are the parts of the server, in the order of their ports.
var services = []primitives.ServiceName{
	primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
}

func (s settings) address(part int) string {
	return net.JoinHostPort(s.host, strconv.Itoa(s.port+part))
}

// schemas makes the tables of both databases, which must exist. Where they are there
// already, nothing changes.
func (s settings) schemas() error {
	host, port, err := net.SplitHostPort(s.database)
	if err != nil {
		return err
	}
	for _, part := range []struct{ database, schema string }{
		{s.prefix, "temporal"}, {s.prefix + "_visibility", "visibility"},
	} {
		common := []string{"temporal-sql-tool", "--quiet", "--plugin", plugin, "--endpoint", host, "--port", port,
			"--user", s.user, "--password", s.password, "--database", part.database}
		// It fails where it was done before: then the next step says whether all is well.
		_ = sqltool.RunTool(append(common, "setup-schema", "--version", "0.0"))
		if err := sqltool.RunTool(append(common, "update-schema", "--schema-name", "postgresql/v12/"+part.schema)); err != nil {
			return fmt.Errorf("the database %s: %w", part.database, err)
		}
	}
	return nil
}

func (s settings) store(database string) config.DataStore {
	return config.DataStore{SQL: &config.SQL{
		PluginName: plugin, DatabaseName: database, ConnectAddr: s.database, ConnectProtocol: "tcp",
		User: s.user, Password: s.password, MaxConns: 20, MaxIdleConns: 20, MaxConnLifetime: time.Hour,
	}}
}

func (s settings) config() *config.Config {
	c := &config.Config{}
	c.Global.Membership.MaxJoinDuration = 30 * time.Second
	c.Global.Membership.BroadcastAddress = s.host
	c.Persistence = config.Persistence{
		DefaultStore: "main", VisibilityStore: "visibility", NumHistoryShards: 4,
		DataStores: map[string]config.DataStore{"main": s.store(s.prefix), "visibility": s.store(s.prefix + "_visibility")},
	}
	c.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10, MasterClusterName: "active", CurrentClusterName: "active",
		ClusterInformation: map[string]cluster.ClusterInformation{
			"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: s.address(0)},
		},
	}
	c.DCRedirectionPolicy.Policy = "noop"
	c.Services = map[string]config.Service{}
	for i, name := range services {
		var part config.Service
		part.RPC.GRPCPort, part.RPC.BindOnIP = s.port+i, s.host
		c.Services[string(name)] = part
	}
	c.Archival.History.State, c.Archival.Visibility.State = "disabled", "disabled"
	c.NamespaceDefaults.Archival.History.State, c.NamespaceDefaults.Archival.Visibility.State = "disabled", "disabled"
	c.PublicClient.HostPort = s.address(0)
	if s.cert != "" {
		c.Global.TLS.Frontend.Server.CertFile, c.Global.TLS.Frontend.Server.KeyFile = s.cert, s.key
		c.Global.TLS.Frontend.Server.ClientCAFiles = []string{s.ca}
		c.Global.TLS.Frontend.Server.RequireClientAuth = true
		c.Global.TLS.Frontend.Client.RootCAFiles = []string{s.ca}
		c.Global.TLS.SystemWorker.CertFile, c.Global.TLS.SystemWorker.KeyFile = s.clientCert, s.clientKey
		c.Global.TLS.SystemWorker.Client.RootCAFiles = []string{s.ca}
	}
	return c
}

func (s settings) server() (temporal.Server, error) {
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn", OutputFile: s.log}))
	c := s.config()
	authorizer, err := authorization.GetAuthorizerFromConfig(&c.Global.Authorization)
	if err != nil {
		return nil, err
	}
	mapper, err := authorization.GetClaimMapperFromConfig(&c.Global.Authorization, logger)
	if err != nil {
		return nil, err
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range services {
		hosts[name] = static.SingleLocalHost(s.address(i))
	}
	return temporal.NewServer(
		temporal.WithConfig(c), temporal.ForServices(temporal.DefaultServices), temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer), temporal.WithStaticHosts(hosts),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return mapper }),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{
			dynamicconfig.NamespaceCacheRefreshInterval.Key(): time.Second,
		}),
	)
}

// clientTLS is how this program reaches itself; nil without certificates.
func (s settings) clientTLS() (*tls.Config, error) {
	if s.cert == "" {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(s.clientCert, s.clientKey)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file of the authority has no certificate")
	}
	return &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
