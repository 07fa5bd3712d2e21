package keystone

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/karbor/karbor"
)

// cloudEntry is one cloud of a clouds.yaml. Members that we do not use, such
// as those of other services, are ignored, as every OpenStack client does.
type cloudEntry struct {
	Auth map[string]any `yaml:"auth"`
	// Rest has region_name, interface, verify, cacert and so on.
	Rest map[string]any `yaml:",inline"`
}

// FromClouds reads one cloud from clouds.yaml, and its secrets from a
// secure.yaml beside it. The file is the one that OS_CLIENT_CONFIG_FILE names,
// else the first of ./clouds.yaml, $XDG_CONFIG_HOME/openstack/clouds.yaml
// (~/.config without that variable) and /etc/openstack/clouds.yaml. No file,
// or no such cloud, is an Unauthorized error; a broken file is an Invalid one.
func FromClouds(name string, env func(string) string) (Credentials, error) {
	var tried []string
	for _, path := range locations(env) {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			tried = append(tried, path)
			continue
		}
		if err != nil {
			return Credentials{}, karbor.Errorf(karbor.Invalid, "reading the clouds: %w", err)
		}
		secret, err := os.ReadFile(filepath.Join(filepath.Dir(path), "secure.yaml"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Credentials{}, karbor.Errorf(karbor.Invalid, "reading the clouds' secrets: %w", err)
		}
		c, err := ParseClouds(name, text, secret)
		if err != nil {
			return c, fmt.Errorf("%s: %w", path, err)
		}
		return c, nil
	}
	return Credentials{}, karbor.Errorf(karbor.Unauthorized, "no clouds.yaml for the cloud %q: looked for %s", name, strings.Join(tried, ", "))
}

func locations(env func(string) string) []string {
	if file := env("OS_CLIENT_CONFIG_FILE"); file != "" {
		return []string{file}
	}
	paths := []string{"clouds.yaml"}
	if dir := env("XDG_CONFIG_HOME"); dir != "" {
		paths = append(paths, filepath.Join(dir, "openstack", "clouds.yaml"))
	} else if home := env("HOME"); home != "" {
		paths = append(paths, filepath.Join(home, ".config", "openstack", "clouds.yaml"))
	}
	return append(paths, "/etc/openstack/clouds.yaml")
}

// ParseClouds reads one cloud from the text of a clouds.yaml and, where it is
// not empty, of a secure.yaml, whose members come first.
func ParseClouds(name string, text, secret []byte) (Credentials, error) {
	open, err := parseCloud(name, text, true)
	if err != nil {
		return Credentials{}, err
	}
	hidden, err := parseCloud(name, secret, false)
	if err != nil {
		return Credentials{}, err
	}
	return hidden.Or(open), nil
}

func parseCloud(name string, text []byte, required bool) (Credentials, error) {
	var file struct {
		Clouds map[string]cloudEntry `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Credentials{}, karbor.Errorf(karbor.Invalid, "it is not a list of clouds: %s", yaml.FormatError(err, false, false))
	}
	entry, ok := file.Clouds[name]
	if !ok && required {
		known := slices.Sorted(maps.Keys(file.Clouds))
		return Credentials{}, karbor.Errorf(karbor.Unauthorized, "there is no cloud %q; there are: %s", name, strings.Join(known, ", "))
	}
	return entry.credentials(), nil
}

func (e cloudEntry) credentials() Credentials {
	var c Credentials
	for _, s := range settings() {
		key := strings.ReplaceAll(s.name, "-", "_")
		if s.name == "endpoint-override" {
			key = "data_protect_endpoint_override"
		}
		for _, from := range []map[string]any{e.Auth, e.Rest} {
			if v, ok := from[key]; ok && v != nil {
				*s.field(&c) = fmt.Sprint(v)
			}
		}
	}
	if verify, ok := e.Rest["verify"].(bool); ok {
		c.Insecure = !verify
	}
	return c
}
