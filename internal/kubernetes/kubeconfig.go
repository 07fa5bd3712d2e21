package kubernetes

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/karbor/karbor"
)

// maxKubeconfig is the largest kubeconfig that is read, in bytes: as much as Barbican keeps
// in a secret by default.
const maxKubeconfig = 20_000

// maxNests is how often a kubeconfig may open a list or a mapping within a line. The time
// that it takes to parse grows with the square of how deep they lie in each other.
const maxNests = 1000

// nests counts what may open a list or a mapping in a line. It counts too much rather than
// too little: openings within quotes, too.
func nests(text []byte) int {
	n := 0
	for _, opening := range []string{"[", "{", "- ", "-\t", "? ", "?\t"} {
		n += bytes.Count(text, []byte(opening))
	}
	return n
}

// maxNamespaces is how many namespaces a kubeconfig may name.
const maxNamespaces = 100

// kubeconfig is a tenant's kubeconfig: all members that there are, so that one that is not
// known is refused rather than passed over.
type kubeconfig struct {
	APIVersion  string        `yaml:"apiVersion"`
	Kind        string        `yaml:"kind"`
	Preferences any           `yaml:"preferences"`
	Extensions  any           `yaml:"extensions"`
	Current     string        `yaml:"current-context"`
	Clusters    []clusterItem `yaml:"clusters"`
	Contexts    []contextItem `yaml:"contexts"`
	Users       []userItem    `yaml:"users"`
}

type clusterItem struct {
	Name    string `yaml:"name"`
	Cluster struct {
		Server             string `yaml:"server"`
		Insecure           bool   `yaml:"insecure-skip-tls-verify"`
		CAFile             string `yaml:"certificate-authority"`
		CA                 string `yaml:"certificate-authority-data"`
		TLSName            string `yaml:"tls-server-name"`
		Proxy              string `yaml:"proxy-url"`
		DisableCompression bool   `yaml:"disable-compression"`
		Extensions         any    `yaml:"extensions"`
	} `yaml:"cluster"`
}

type contextItem struct {
	Name    string `yaml:"name"`
	Context struct {
		Cluster    string `yaml:"cluster"`
		User       string `yaml:"user"`
		Namespace  string `yaml:"namespace"`
		Extensions any    `yaml:"extensions"`
	} `yaml:"context"`
}

type userItem struct {
	Name string `yaml:"name"`
	User struct {
		CertificateFile string `yaml:"client-certificate"`
		Certificate     string `yaml:"client-certificate-data"`
		KeyFile         string `yaml:"client-key"`
		Key             string `yaml:"client-key-data"`
		Token           string `yaml:"token"`
		TokenFile       string `yaml:"tokenFile"`
		As              string `yaml:"as"`
		AsUID           string `yaml:"as-uid"`
		AsGroups        any    `yaml:"as-groups"`
		AsExtra         any    `yaml:"as-user-extra"`
		Username        string `yaml:"username"`
		Password        string `yaml:"password"`
		AuthProvider    any    `yaml:"auth-provider"`
		Exec            any    `yaml:"exec"`
		Extensions      any    `yaml:"extensions"`
	} `yaml:"user"`
}

// access is what a kubeconfig comes to.
type access struct {
	server     *url.URL
	tls        *tls.Config
	token      karbor.Secret
	username   string
	password   karbor.Secret
	namespaces []string
}

// refused is the error for a kubeconfig. What is in it is never told: it may be a secret.
func refused(format string, args ...any) error {
	return karbor.Errorf(karbor.Invalid, "the kubeconfig can't be used: "+format, args...)
}

// parse reads a kubeconfig, which is hostile input. What it would have this process run,
// read from its disk, or trust blindly is refused, in the context that is used; and so are
// anchors and aliases, which can make a small text a large one.
func parse(text []byte) (*access, error) {
	if len(text) > maxKubeconfig {
		return nil, refused("it has more than %d bytes", maxKubeconfig)
	}
	if nests(text) > maxNests {
		return nil, refused("too much is nested in it")
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, refused("it is not one YAML document")
	}
	aliases := &aliasFinder{}
	ast.Walk(aliases, file.Docs[0].Body)
	if aliases.found {
		return nil, refused("it has anchors or aliases")
	}
	var k kubeconfig
	if err := yaml.NodeToValue(file.Docs[0].Body, &k, yaml.Strict()); err != nil {
		return nil, refused("it has members that a kubeconfig does not have, or of another form")
	}
	return k.access()
}

// aliasFinder looks for anchors and aliases in a document.
type aliasFinder struct{ found bool }

// Visit implements ast.Visitor.
func (f *aliasFinder) Visit(n ast.Node) ast.Visitor {
	if n.Type() == ast.AnchorType || n.Type() == ast.AliasType {
		f.found = true
	}
	return f
}

func (k *kubeconfig) access() (*access, error) {
	if k.APIVersion != "v1" || k.Kind != "Config" {
		return nil, refused("it is not of the kind Config, version v1")
	}
	at := slices.IndexFunc(k.Contexts, func(c contextItem) bool { return c.Name == k.Current })
	if k.Current == "" || at < 0 {
		return nil, refused("its current-context is none of its contexts")
	}
	current := k.Contexts[at].Context
	c := slices.IndexFunc(k.Clusters, func(c clusterItem) bool { return c.Name == current.Cluster })
	u := slices.IndexFunc(k.Users, func(u userItem) bool { return u.Name == current.User })
	if c < 0 || u < 0 {
		return nil, refused("its current-context has no cluster or no user")
	}
	a := &access{}
	// The tenant names the namespaces by contexts: those of the same cluster and user.
	for _, other := range k.Contexts {
		if other.Context.Cluster != current.Cluster || other.Context.User != current.User {
			continue
		}
		namespace := other.Context.Namespace
		if namespace == "" {
			namespace = "default"
		}
		if !IsNamespace(namespace) {
			return nil, refused("one of its namespaces can't be one")
		}
		if !slices.Contains(a.namespaces, namespace) {
			a.namespaces = append(a.namespaces, namespace)
		}
	}
	if len(a.namespaces) > maxNamespaces {
		return nil, refused("it names more than %d namespaces", maxNamespaces)
	}
	slices.Sort(a.namespaces)
	if err := k.Clusters[c].into(a); err != nil {
		return nil, err
	}
	return a, k.Users[u].into(a)
}

// into takes over where the cluster is and what proves that.
func (c *clusterItem) into(a *access) error {
	k := c.Cluster
	switch {
	case k.CAFile != "":
		return refused("its cluster names a file (certificate-authority): give the content as certificate-authority-data")
	case k.Insecure:
		return refused("its cluster says insecure-skip-tls-verify: give the certificate-authority-data")
	case k.Proxy != "":
		return refused("its cluster has a proxy-url")
	}
	u, err := url.Parse(k.Server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return refused("its server is not a plain https URL")
	}
	a.server = u
	a.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: k.TLSName}
	if k.CA == "" {
		return nil
	}
	pem, err := base64.StdEncoding.DecodeString(k.CA)
	if err != nil {
		return refused("its certificate-authority-data is not base64")
	}
	a.tls.RootCAs = x509.NewCertPool()
	if !a.tls.RootCAs.AppendCertsFromPEM(pem) {
		return refused("its certificate-authority-data holds no certificate")
	}
	return nil
}

// into takes over who the user is.
func (u *userItem) into(a *access) error {
	k := u.User
	switch {
	case k.Exec != nil:
		return refused("its user has an exec plug-in: give a token or a client certificate")
	case k.AuthProvider != nil:
		return refused("its user has an auth-provider: give a token or a client certificate")
	case k.CertificateFile != "" || k.KeyFile != "" || k.TokenFile != "":
		return refused("its user names a file: give the content (client-certificate-data, client-key-data, token)")
	case k.As != "" || k.AsUID != "" || k.AsGroups != nil || k.AsExtra != nil:
		return refused("its user stands for another one (as)")
	}
	a.token, a.username, a.password = karbor.Secret(k.Token), k.Username, karbor.Secret(k.Password)
	if k.Certificate == "" && k.Key == "" {
		if k.Token == "" && k.Username == "" {
			return refused("its user has neither a token nor a client certificate nor a password")
		}
		return nil
	}
	certificate, failed := base64.StdEncoding.DecodeString(k.Certificate)
	key, failedToo := base64.StdEncoding.DecodeString(k.Key)
	if failed != nil || failedToo != nil {
		return refused("its client certificate or key is not base64")
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return refused("its client certificate and key don't belong together, or are none")
	}
	a.tls.Certificates = []tls.Certificate{pair}
	return nil
}
