package config

import (
	"fmt"
	"net"
	"os"
	"regexp"

	"github.com/karbor/karbor"
)

// The engines.
const (
	LocalEngine    = "local"
	TemporalEngine = "temporal"
)

// Engine says what runs the operations.
type Engine struct {
	// Type is local, for one protection process, or temporal, for any number of them on a
	// Temporal cluster.
	Type     string   `yaml:"type"`
	Temporal Temporal `yaml:"temporal"`
}

// Temporal says where the Temporal cluster is, and how it is reached.
type Temporal struct {
	// Address is that of the cluster's frontend, host:port.
	Address string `yaml:"address"`
	// Namespace is Karbor's on the cluster; it must exist.
	Namespace string `yaml:"namespace"`
	// Queue is the task queue that all processes of one Karbor share. Several Karbors
	// in one namespace need different ones.
	Queue string      `yaml:"queue"`
	TLS   TemporalTLS `yaml:"tls"`
}

// TemporalTLS says how connections to the cluster are secured.
type TemporalTLS struct {
	Enabled bool `yaml:"enabled"`
	// CAFile holds the certificates to trust instead of the system's, as PEM.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile hold this process's certificate and its key, as PEM.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name in the cluster's certificate; "" takes the address's host.
	ServerName string `yaml:"server_name"`
}

func defaultEngine() Engine {
	return Engine{Type: LocalEngine, Temporal: Temporal{Namespace: "karbor", Queue: "karbor"}}
}

// queueName is what a task queue may be called: nothing that a query could misread.
var queueName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// check gives what is wrong with the values to fault.
func (e Engine) check(fault func(key, format string, args ...any)) {
	t := e.Temporal
	switch e.Type {
	case LocalEngine:
	case TemporalEngine:
		if _, _, err := net.SplitHostPort(t.Address); err != nil {
			fault("engine.temporal.address", "%q is not host:port", t.Address)
		}
		if t.Namespace == "" {
			fault("engine.temporal.namespace", "it is needed")
		}
	default:
		fault("engine.type", "%q is neither local nor temporal", e.Type)
	}
	if !queueName.MatchString(t.Queue) {
		fault("engine.temporal.queue", "%q is not 1 to 200 letters, digits, dots, hyphens and underscores", t.Queue)
	}
	if (t.TLS.CertFile == "") != (t.TLS.KeyFile == "") {
		fault("engine.temporal.tls", "cert_file and key_file go together")
	}
	if !t.TLS.Enabled && (t.TLS.CAFile != "" || t.TLS.CertFile != "" || t.TLS.ServerName != "") {
		fault("engine.temporal.tls", "it is not enabled, and yet has settings")
	}
}

// Files reads the files of the settings; what is not set is nil.
func (t TemporalTLS) Files() (ca, cert []byte, key karbor.Secret, err error) {
	read := func(name, path string) []byte {
		if path == "" || err != nil {
			return nil
		}
		var text []byte
		if text, err = os.ReadFile(path); err != nil {
			err = fmt.Errorf("reading engine.temporal.tls.%s: %w", name, err)
		}
		return text
	}
	ca, cert = read("ca_file", t.CAFile), read("cert_file", t.CertFile)
	key = karbor.Secret(read("key_file", t.KeyFile))
	return ca, cert, key, err
}
