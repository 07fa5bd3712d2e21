package config

import (
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
)

// Kubernetes says which clusters of tenants are reached to protect pods.
type Kubernetes struct {
	// Servers are the host names, domains (*.cloud.example), addresses and networks that
	// API servers may be at. What is not public must be listed as an address or a network.
	// Without any no cluster is reached.
	Servers []string `yaml:"servers"`
	// Namespaces are those that pods may be in; none stands for all that a tenant's
	// kubeconfig names.
	Namespaces []string `yaml:"namespaces"`
	// Secret is the name of the secret in a tenant's key manager that holds his kubeconfig.
	Secret string `yaml:"secret"`
	// Timeout bounds one request to a cluster.
	Timeout time.Duration `yaml:"timeout"`
}

func defaultKubernetes() Kubernetes {
	return Kubernetes{Secret: kubernetes.DefaultSecret, Timeout: 30 * time.Second}
}

// Options are what plug-ins reach clusters with.
func (k Kubernetes) Options() kubernetes.Options {
	return kubernetes.Options{Servers: k.Servers, Namespaces: k.Namespaces, Secret: k.Secret, Timeout: k.Timeout}
}

// check gives what is wrong with the values to fault.
func (k Kubernetes) check(fault func(key, format string, args ...any)) {
	if _, err := kubernetes.New(k.Options()); err != nil {
		fault("kubernetes", "%s", karbor.Sentence(err))
	}
	if k.Secret == "" {
		fault("kubernetes.secret", "is empty")
	}
	if k.Timeout < time.Second || k.Timeout > 10*time.Minute {
		fault("kubernetes.timeout", "%v is not between a second and 10 minutes", k.Timeout)
	}
}
