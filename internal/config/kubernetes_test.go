package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSettingsOfClustersAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(k *Kubernetes)
		want string
	}{
		"default":   {func(*Kubernetes) {}, ""},
		"server":    {func(k *Kubernetes) { k.Servers = []string{"*.cloud.example", "10.1.0.0/16", "api.example"} }, ""},
		"URL":       {func(k *Kubernetes) { k.Servers = []string{"https://api.example"} }, "kubernetes: "},
		"namespace": {func(k *Kubernetes) { k.Namespaces = []string{"Shop"} }, "can't be a namespace"},
		"secret":    {func(k *Kubernetes) { k.Secret = "" }, "kubernetes.secret: "},
		"timeout":   {func(k *Kubernetes) { k.Timeout = time.Hour }, "kubernetes.timeout: "},
	} {
		k := defaultKubernetes()
		test.edit(&k)
		var faults []string
		k.check(func(key, format string, args ...any) { faults = append(faults, key+": "+fmt.Sprintf(format, args...)) })
		if text := strings.Join(faults, "\n"); (text == "") != (test.want == "") || !strings.Contains(text, test.want) {
			t.Errorf("%s gives %q; want %q", name, text, test.want)
		}
	}
}
