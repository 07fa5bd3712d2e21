package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestThePolicyFileLiesBesideTheConfiguration(t *testing.T) {
	path := write(t, enough)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := []string{filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "policy.json")}
	if files, required := c.Policy.Files(); !slices.Equal(files, want) || required {
		t.Errorf("the files are %v, required is %t", files, required)
	}
	c, err = Load(write(t, enough+"policy:\n  file: /etc/other.yaml\n  enforce_new_defaults: true\n  reload_interval: 1m\n"))
	if err != nil {
		t.Fatal(err)
	}
	if files, required := c.Policy.Files(); !slices.Equal(files, []string{"/etc/other.yaml"}) || !required ||
		!c.Policy.EnforceNewDefaults || c.Policy.ReloadInterval != time.Minute {
		t.Errorf("the files are %v, required is %t, the policy is %+v", files, required, c.Policy)
	}
	if files, _ := Default().Policy.Files(); files != nil {
		t.Errorf("without a configuration file the policy is looked for in %v", files)
	}
}

func TestPolicySettingsThatCanNotBe(t *testing.T) {
	for text, want := range map[string]string{
		"policy: {file: here.yaml}\n":          "policy.file: ",
		"policy: {reload_interval: 10ms}\n":    "policy.reload_interval: ",
		"policy: {folder: /etc}\n":             `unknown field "folder"`,
		"policy: {enforce_new_defaults: ja}\n": "[4:32]",
	} {
		if _, err := Load(write(t, enough+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}
