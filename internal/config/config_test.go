package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "karbord.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const enough = "keystone:\n  auth_url: http://keystone/v3\n  password_file: /etc/karbor/password\n"

func TestLoadReadsOverTheDefaults(t *testing.T) {
	_, err := Load(write(t, enough+"keystone.timeout: 5s\n"))
	if err == nil {
		t.Fatal("a key with a dot was accepted")
	}
	c, err := Load(write(t, "quotas:\n  plans: 7\n"+enough))
	if err != nil {
		t.Fatal(err)
	}
	if c.Quotas.Plans != 7 || c.Quotas.Checkpoints != -1 || c.Quotas.Gigabytes != -1 || c.Listen != Default().Listen || c.Keystone.Project != "service" {
		t.Errorf("got %+v", c)
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"unknown key":        {enough + "lisen: 1\n", "[4:1] unknown field \"lisen\""},
		"wrong type":         {enough + "quotas:\n  plans: many\n", "[5:10]"},
		"bad listen":         {enough + "listen: nowhere\n", `listen: "nowhere" is not host:port`},
		"relative state":     {enough + "state: here\n", "state: "},
		"no keystone":        {"listen: 127.0.0.1:1\n", "keystone.auth_url: "},
		"quota below -1":     {enough + "quotas: {plans: -2}\n", "quotas.plans: "},
		"gigabytes below -1": {enough + "quotas: {gigabytes: -2}\n", "quotas.gigabytes: "},
		"unknown level":      {enough + "log: {level: loud}\n", "log.level: "},
		"long settling time": {enough + "operations: {settle: 11m}\n", "operations.settle: "},
		"short deadline":     {enough + "operations: {deadline: 1m}\n", "operations.deadline: "},
		"hasty phases":       {enough + "operations: {phase_deadlines: {main: 1m}}\n", "operations.phase_deadlines.main: "},
		"no leftover time":   {enough + "operations: {leftover_time: -1s}\n", "operations.leftover_time: "},
		"short delegation":   {enough + "operations: {delegation_lifetime: 1m}\n", "operations.delegation_lifetime: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error is %v, want one with %q and the file", err, c.want)
			}
		})
	}
}

func TestServiceKeyIsMadeOnceAndKept(t *testing.T) {
	c := Default()
	c.State = t.TempDir()
	first, err := c.ServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.ServiceKey()
	if err != nil || !bytes.Equal(first, second) || len(first) != keyBytes {
		t.Errorf("second read gives %x, %v; want %x", second, err, first)
	}
	info, err := os.Stat(filepath.Join(c.State, "service.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestServiceKeyOfAWrongLengthIsRefused(t *testing.T) {
	c := Default()
	c.ServiceKeyFile = write(t, "abcd\n")
	if _, err := c.ServiceKey(); err == nil {
		t.Error("a key of two bytes was accepted")
	}
}
