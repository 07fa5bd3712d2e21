package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/kubernetes"
)

// good is a kubeconfig that can be used.
func good(t testing.TB) string {
	t.Helper()
	s := kubernetes.Start()
	t.Cleanup(s.Close)
	return s.Kubeconfig("the-token", "shop", "stock")
}

func TestKubeconfigNamesServerNamespacesAndCredentials(t *testing.T) {
	a, err := parse([]byte(good(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"shop", "stock"}, a.namespaces); diff != "" || a.server.Scheme != "https" || a.token.Reveal() != "the-token" || a.tls.RootCAs == nil {
		t.Errorf("got %+v %s", a, diff)
	}
}

func TestContextsOfOtherClustersAndUsersNameNoNamespaces(t *testing.T) {
	text := good(t) + "- name: other\n  context: {cluster: elsewhere, user: karbor, namespace: other}\n- name: admin\n  context: {cluster: shop, user: root, namespace: kube-system}\n" +
		"- name: plain\n  context: {cluster: shop, user: karbor}\n"
	a, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default", "shop", "stock"}, a.namespaces); diff != "" {
		t.Error(diff)
	}
}

func TestHostileKubeconfigIsRefused(t *testing.T) {
	text := good(t)
	user, server := "    token: the-token\n", "    server: "
	for name, test := range map[string]struct{ old, fresh, want string }{
		"exec":                {user, "    exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: [-c, id]}\n", "exec plug-in"},
		"auth provider":       {user, "    auth-provider: {name: gcp}\n", "auth-provider"},
		"token file":          {user, "    tokenFile: /var/run/secrets/token\n", "names a file"},
		"certificate file":    {user, user + "    client-certificate: /etc/passwd\n", "names a file"},
		"key file":            {user, user + "    client-key: ../key.pem\n", "names a file"},
		"impersonation":       {user, user + "    as: system:admin\n", "stands for another one"},
		"groups":              {user, user + "    as-groups: [system:masters]\n", "stands for another one"},
		"extra":               {user, user + "    as-user-extra: {a: [b]}\n", "stands for another one"},
		"no credentials":      {user, "    {}\n", "neither a token"},
		"broken certificate":  {user, "    client-certificate-data: eA==\n    client-key-data: eA==\n", "don't belong together"},
		"no base64":           {user, "    client-certificate-data: '*'\n", "not base64"},
		"authority file":      {server, "    certificate-authority: /etc/shadow\n" + server, "names a file"},
		"no verification":     {server, "    insecure-skip-tls-verify: true\n" + server, "insecure-skip-tls-verify"},
		"proxy":               {server, "    proxy-url: http://127.0.0.1:3128\n" + server, "proxy-url"},
		"plain http":          {server + "https", server + "http", "not a plain https URL"},
		"unix":                {server + "https://", server + "unix:///run/", "not a plain https URL"},
		"user in the URL":     {server + "https://", server + "https://a:b@", "not a plain https URL"},
		"no server":           {server + "https://", server + "''\n    x-y: ", "members that a kubeconfig does not have"},
		"authority":           {"certificate-authority-data: ", "certificate-authority-data: '' # ", ""},
		"unknown member":      {user, user + "    passkey: x\n", "members that a kubeconfig does not have"},
		"other kind":          {"kind: Config", "kind: Pod", "not of the kind Config"},
		"no current context":  {"current-context: shop", "current-context: none", "none of its contexts"},
		"no user":             {"- name: karbor\n", "- name: somebody\n", "no cluster or no user"},
		"hostile namespace":   {"namespace: stock", "namespace: ../kube-system", "namespaces can't be one"},
		"aliases":             {"preferences: {}", "preferences: {a: &a [x, x], b: *a}", "anchors or aliases"},
		"two documents":       {"preferences: {}", "preferences: {}\n---\na: b", "not one YAML document"},
		"no YAML":             {"apiVersion: v1", "apiVersion: [", "not one YAML document"},
		"too long":            {"preferences: {}", "preferences: {a: " + strings.Repeat("x", maxKubeconfig) + "}", "more than"},
		"members of one list": {"clusters:\n", "clusters: 7\nextensions:\n", "members that a kubeconfig does not have"},
	} {
		hostile := strings.Replace(text, test.old, test.fresh, 1)
		if hostile == text {
			t.Fatalf("%s: nothing was replaced", name)
		}
		_, err := parse([]byte(hostile))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s gives %v; want %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "the-token") {
			t.Errorf("%s: the error tells the token: %v", name, err)
		}
	}
}

func FuzzKubeconfigNeverReachesBeyondItself(f *testing.F) {
	f.Add([]byte(good(f)))
	f.Add([]byte("apiVersion: v1\nkind: Config\nusers: [{name: a, user: {exec: {}}}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parse(text)
		if err != nil {
			if karbor.KindOf(err) != karbor.Invalid {
				t.Errorf("got %v", err)
			}
			return
		}
		if a.server.Scheme != "https" || a.tls.InsecureSkipVerify || len(a.namespaces) == 0 {
			t.Errorf("got %+v", a)
		}
		for _, n := range a.namespaces {
			if !IsNamespace(n) {
				t.Errorf("the namespace %q", n)
			}
		}
	})
}
