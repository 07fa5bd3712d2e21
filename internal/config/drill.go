package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
)

// Drills says how restore drills run.
type Drills struct {
	// PerProject is how many may run in a project at a time; 0 allows none, -1 any number.
	PerProject int `yaml:"per_project"`
	// KeyFile holds the Ed25519 key that signs their records, as PEM (PKCS #8), and the public
	// keys that once did. "" makes one in the state folder at the first start.
	KeyFile string `yaml:"key_file"`
	// Source is the address that servers behind floating addresses see connections of this
	// service come from; "" takes that of the host.
	Source string `yaml:"source"`
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

// EvidenceSigner reads the key that signs the records of drills, and makes one at the first start
// where no file is configured.
func (c Config) EvidenceSigner() (*evidence.Signer, error) {
	path := c.Drills.KeyFile
	if path == "" {
		path = filepath.Join(c.State, "evidence.key")
	}
	text, err := os.ReadFile(path)
	file := karbor.Secret(text)
	if errors.Is(err, fs.ErrNotExist) && c.Drills.KeyFile == "" {
		if file, err = evidence.NewKeyFile(); err == nil {
			err = writeSecret(path, string(file))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key that signs the records of drills: %w", err)
	}
	signer, err := evidence.NewSigner(file)
	if err != nil {
		return nil, fmt.Errorf("reading the key that signs the records of drills in %s: %w", path, err)
	}
	return signer, nil
}
