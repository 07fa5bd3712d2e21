package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigCheckReadsTheProviderFilesIfAsked(t *testing.T) {
	const good = "id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: %s}}\nplugins: [{plugin: karbor-noop-plugin}]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"good", good, ""},
		{"unknown plug-in", strings.Replace(good, "noop", "nope", 1), "karbor-nope-plugin"},
		{"unknown option", strings.Replace(good, "path", "colour", 1), "colour"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			if err := os.Mkdir(filepath.Join(dir, "providers.d"), 0o700); err != nil {
				t.Fatal(err)
			}
			write("providers.d/bank.yaml", fmt.Sprintf(tt.text, dir+"/bank"))
			file := write("karbord.yaml", fmt.Sprintf("providers: %s/providers.d\nkeystone:\n  auth_url: http://keystone.example:5000/v3\n  password_file: /etc/karbor/password\n", dir))
			for _, args := range [][]string{nil, {"--providers"}} {
				_, err := run(t, append([]string{"config", "check", "--config", file}, args...)...)
				bad := tt.want != "" && args != nil
				if bad != (err != nil) || bad && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%q: error %v", args, err)
				}
			}
		})
	}
}
