package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/testcloud"
)

// devProviders are the provider files of karbord dev. Their ids never change, so
// that what a state folder holds stays reachable.
var devProviders = map[string]string{
	"bank.yaml": `# Everything of an application, its bytes included, goes into a bank of files.
id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01
name: bank
description: Keeps all the bytes of an application in a bank.
bank:
  plugin: karbor-file-bank
  options:
    path: %[1]s/bank
repository:
  keys:
    - file: %[1]s/bank.key
copies:
  - name: offsite
    bank:
      plugin: karbor-file-bank
      options:
        path: %[1]s/bank-offsite
plugins:
  - plugin: karbor-project-protection-plugin
  - plugin: karbor-server-protection-plugin
  - plugin: karbor-volume-glance-plugin
  - plugin: karbor-image-protection-plugin
  - plugin: karbor-network-protection-plugin
`,
	"services.yaml": `# Cinder, Manila and Trove keep what volumes, shares and databases hold.
id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b03
name: services
description: Keeps backups of volumes and snapshots of shares in the cloud's own services.
bank:
  plugin: karbor-file-bank
  options:
    path: %[1]s/bank-services
repository:
  keys:
    - file: %[1]s/services.key
plugins:
  - plugin: karbor-project-protection-plugin
  - plugin: karbor-server-protection-plugin
  - plugin: karbor-volume-protection-plugin
  - plugin: karbor-share-protection-plugin
  - plugin: karbor-database-protection-plugin
  - plugin: karbor-image-protection-plugin
  - plugin: karbor-network-protection-plugin
`,
	"snapshots.yaml": `# Quick and in place: a snapshot of each volume and share stays in the cloud.
id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b04
name: snapshots
description: Keeps snapshots of volumes and shares in the cloud, beside what they are of.
bank:
  plugin: karbor-file-bank
  options:
    path: %[1]s/bank-snapshots
repository:
  keys:
    - file: %[1]s/snapshots.key
plugins:
  - plugin: karbor-project-protection-plugin
  - plugin: karbor-server-protection-plugin
  - plugin: karbor-volume-snapshot-plugin
  - plugin: karbor-share-protection-plugin
  - plugin: karbor-image-protection-plugin
  - plugin: karbor-network-protection-plugin
`,
	"noop.yaml": `# Does nothing to any resource: to try out plans, operations and logs.
id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02
name: noop
description: Protects nothing; for trying out plans and operations.
bank:
  plugin: karbor-file-bank
  options:
    path: %[1]s/bank-noop
plugins:
  - plugin: karbor-noop-plugin
`,
}

// devUsers are the users whose openrc files are written.
var devUsers = []string{"admin", "demo", "other", "karbor"}

// writeDevFiles writes the provider files, where there are none yet, and the
// openrc files, whose addresses change from run to run.
func writeDevFiles(state string, c config.Config, cloud *testcloud.Cloud) error {
	if err := os.MkdirAll(c.Providers, 0o700); err != nil {
		return fmt.Errorf("making the folder of providers: %w", err)
	}
	for _, name := range devKeys {
		if err := writeDevKey(state, c, name); err != nil {
			return err
		}
	}
	for name, text := range devProviders {
		if err := writeNew(filepath.Join(c.Providers, name), fmt.Sprintf(text, state)); err != nil {
			return err
		}
	}
	for _, name := range devUsers {
		u, ok := cloud.User(name)
		if !ok {
			return fmt.Errorf("the simulated cloud has no user %s", name)
		}
		if err := os.WriteFile(filepath.Join(state, "openrc-"+name), []byte(cloud.OpenRC(u)), 0o600); err != nil {
			return fmt.Errorf("writing an openrc file: %w", err)
		}
	}
	return nil
}

// devKeys are the providers whose banks have keys.
var devKeys = []string{"bank", "services", "snapshots"}

// writeDevKey makes the key file of a provider's bank, if the provider file that names it is
// still to be written: a key that got lost later is not to be replaced by one that opens nothing.
func writeDevKey(state string, c config.Config, name string) error {
	_, err := os.Stat(filepath.Join(c.Providers, name+".yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = keyring.WriteKeyFile(filepath.Join(state, name+".key"))
	if err != nil && karbor.KindOf(err) == karbor.Conflict {
		return nil // an earlier start got as far as that
	}
	return err
}

// writeNew writes a file that is not there yet.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing a provider file: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
