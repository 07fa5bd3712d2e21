package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
)

// Drills says how restore drills run.
type Drills struct {
	// PerProject is how many may run in a project at a time; 0 allows none, -1 any number.
	PerProject int `yaml:"per_project"`
	// KeyFile holds the Ed25519 key that signs their records, as PEM (PKCS #8), and the public
	// keys that once did. "" makes one in the state folder at the first start, unless other
	// processes may share the database: then no drills are made without it.
	KeyFile string `yaml:"key_file"`
	// Source is the address that servers behind floating addresses see connections of this
	// service come from; "" takes that of the host.
	Source string `yaml:"source"`
	// ExternalNetwork is the id of the network that the routers and floating addresses of port
	// probes are made in; "" makes such probes impossible. No other will do: tenants may offer
	// networks of their own as external ones, with addresses that are the operator's.
	ExternalNetwork string `yaml:"external_network"`
}

func defaultDrills() Drills { return Drills{PerProject: 1} }

// check gives what is wrong with the values to fault.
func (d Drills) check(fault func(key, format string, args ...any)) {
	if d.PerProject < -1 {
		fault("drills.per_project", "%d is below -1", d.PerProject)
	}
	if d.KeyFile != "" && !filepath.IsAbs(d.KeyFile) {
		fault("drills.key_file", "%q is not an absolute path", d.KeyFile)
	}
	if _, err := netip.ParseAddr(d.Source); d.Source != "" && err != nil {
		fault("drills.source", "%q is not an IP address", d.Source)
	}
}

// shared reports whether other processes may work with this one: of each one's own key the others
// would publish nothing.
func (c Config) shared() bool {
	return c.Engine.Type == TemporalEngine || c.Database.URL != "" && !strings.HasPrefix(c.Database.URL, "sqlite:")
}

// EvidenceKeys reads the public keys that records of drills are checked with; none where no file has
// any. Unlike EvidenceSigner it makes no file.
func (c Config) EvidenceKeys() ([]evidence.PublicKey, error) {
	if c.Drills.KeyFile == "" {
		_, err := os.Stat(filepath.Join(c.State, "evidence.key"))
		if errors.Is(err, fs.ErrNotExist) || c.shared() {
			return nil, nil
		}
	}
	signer, err := c.EvidenceSigner()
	if err != nil {
		return nil, err
	}
	return signer.Keys(), nil
}

// EvidenceSigner reads the key that signs the records of drills. Where no file is configured, it
// makes one at the first start; where other processes may share the database, it is
// karbor.NotImplemented then.
func (c Config) EvidenceSigner() (*evidence.Signer, error) {
	path := c.Drills.KeyFile
	if path == "" {
		if c.shared() {
			return nil, karbor.Errorf(karbor.NotImplemented, "drills.key_file is needed for drills where several processes may share a database")
		}
		path = filepath.Join(c.State, "evidence.key")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && c.Drills.KeyFile == "" {
		var file karbor.Secret
		if file, err = evidence.NewKeyFile(); err == nil {
			text, err = makeSecret(path, file.Reveal())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key that signs the records of drills: %w", err)
	}
	signer, err := evidence.NewSigner(karbor.Secret(text))
	if err != nil {
		return nil, fmt.Errorf("reading the key that signs the records of drills in %s: %w", path, err)
	}
	return signer, nil
}
