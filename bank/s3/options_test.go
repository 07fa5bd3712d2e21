package s3_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/s3"
)

// open opens the plug-in with options as a provider file has them.
func open(t *testing.T, h s3.Host, text string) (bank.Bank, error) {
	t.Helper()
	doc, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s3.Plugin(h).Open(t.Context(), doc.Docs[0].Body)
}

func TestOptionsAreStrict(t *testing.T) {
	f := newFake(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("karbortest-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := "endpoint: " + f.URL + "\nbucket: karbor-one\ncredentials: {access_key_id: karbortest, secret_access_key_file: " + secret + "}\n"
	for text, want := range map[string]string{
		good: "",
		good + "prefix: site/one\nregion: eu\nstyle: path\nidle_timeout: 5s\nretry: {attempts: 2}\nlimit: {write_bytes_per_second: 1000000}\nread_only: true\n": "",
		good + "layout_0_9: true\nread_only: true\n":                                      "",
		good + "nonsense: 1\n":                                                            "nonsense",
		good + "retry: {attempts: 0}\n":                                                   "retry.attempts",
		good + "limit: {nonsense: 0}\n":                                                   "nonsense",
		good + "prefix: /x\n":                                                             "prefix",
		good + "prefix: " + strings.Repeat("x", 101) + "\n":                               "prefix",
		good + "region: ''\n":                                                             "region",
		good + "style: odd\n":                                                             "style",
		good + "idle_timeout: 1ms\n":                                                      "idle_timeout",
		good + "ca_file: /does/not/exist\n":                                               "ca_file",
		good + "object_lock: {mode: odd, period: 24h}\n":                                  "object_lock.mode",
		good + "object_lock: {mode: compliance, period: 1s}\n":                            "object_lock.period",
		good + "layout_0_9: true\n":                                                       "layout_0_9",
		strings.Replace(good, "bucket: karbor-one", "bucket: UPPER", 1):                   "bucket",
		strings.Replace(good, "http:", "ftp:", 1):                                         "endpoint",
		strings.Replace(good, "http://", "http://user:karbortest-secret@", 1):             "endpoint",
		strings.Replace(good, "access_key_id: karbortest, ", "", 1):                       "go together",
		strings.Replace(good, secret, secret+"x", 1):                                      "reading a secret",
		strings.Replace(good, "access_key_id", "environment: true, access_key_id", 1):     "exactly one",
		"endpoint: " + f.URL + "\nbucket: karbor-one\n":                                   "exactly one",
		"endpoint: " + f.URL + "\nbucket: karbor-one\ncredentials: {environment: true}\n": "AWS_ACCESS_KEY_ID",
	} {
		b, err := open(t, s3.Host{Now: time.Now, Getenv: func(string) string { return "" }}, text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "karbortest-secret") {
			t.Errorf("%s: the error tells a secret: %v", text, err)
		}
		if err == nil {
			_ = b.Close()
		}
	}
}

func TestCredentialsFromTheEnvironmentSignRequests(t *testing.T) {
	f := newFake(t)
	var seen atomic.Value
	seen.Store("")
	f.setHook(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		seen.Store(r.Header.Get("Authorization") + r.Header.Get("X-Amz-Security-Token"))
		return false
	})
	environment := map[string]string{"AWS_ACCESS_KEY_ID": "fromenv", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "tok"}
	b, err := open(t, s3.Host{Now: time.Now, Getenv: func(name string) string { return environment[name] }},
		"endpoint: "+f.URL+"\nbucket: karbor-one\nregion: here\ncredentials: {environment: true}\n")
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	signed := fmt.Sprint(seen.Load())
	if !strings.Contains(signed, "Credential=fromenv/") || !strings.Contains(signed, "/here/s3/") || !strings.HasSuffix(signed, "tok") {
		t.Errorf("signed with %q", signed)
	}
}

func TestSecretIsReadAgain(t *testing.T) {
	f := newFake(t)
	now := time.Now()
	o := options(t, f.URL, fakeBucket)
	b, err := s3.Open(t.Context(), o, s3.Host{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var signed atomic.Bool
	f.setHook(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		signed.Store(r.Header.Get("Authorization") != "")
		return false
	})
	if err := os.WriteFile(o.Credentials.SecretAccessKeyFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Now(t.Context()); err != nil || !signed.Load() {
		t.Errorf("within five minutes: %v", err)
	}
	now = now.Add(6 * time.Minute)
	if _, err := b.Now(t.Context()); err == nil || !strings.Contains(err.Error(), "does not hold one line") {
		t.Errorf("after six minutes: %v", err)
	}
}

func TestEC2KeysComeThroughAnApplicationCredential(t *testing.T) {
	f := newFake(t)
	var (
		seen atomic.Value
		made atomic.Int64
	)
	f.setHook(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		seen.Store(r.Header.Get("Authorization"))
		return false
	})
	keystone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /v3/auth/tokens":
			w.Header().Set("X-Subject-Token", "tok")
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"token": map[string]any{
				"expires_at": time.Now().Add(time.Hour), "user": map[string]any{"id": "u1"}, "project": map[string]any{"id": "p1"},
			}})
		case "GET /v3/users/u1/credentials/OS-EC2":
			_ = json.NewEncoder(w).Encode(map[string]any{"credentials": []any{map[string]any{"access": "other", "secret": "s", "tenant_id": "p2"}}})
		case "POST /v3/users/u1/credentials/OS-EC2":
			made.Add(1)
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"credential": map[string]any{"access": "ec2key", "secret": "s", "tenant_id": "p1"}})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(keystone.Close)
	o := options(t, f.URL, fakeBucket)
	o.Credentials = s3.Credentials{ApplicationCredential: &s3.ApplicationCredential{
		AuthURL: keystone.URL, ID: "id", SecretFile: o.Credentials.SecretAccessKeyFile,
	}}
	b, err := s3.Open(t.Context(), o, host())
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if signed := fmt.Sprint(seen.Load()); made.Load() != 1 || !strings.Contains(signed, "Credential=ec2key/") {
		t.Errorf("%d keys made, signed with %q", made.Load(), signed)
	}
	keystone.Close()
	if _, err := s3.Open(t.Context(), o, host()); !karbor.IsTransient(err) {
		t.Errorf("without Keystone: %v", err)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	f := newFake(t)
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	if _, err := s3.Open(t.Context(), options(t, server.URL, fakeBucket), host()); err == nil || !strings.Contains(err.Error(), "not to be trusted") || karbor.IsTransient(err) {
		t.Errorf("an unknown certificate gives %v", err)
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b := openBank(t, server.URL, fakeBucket, func(o *s3.Options) { o.CAFile = authority })
	banktest.Store(t, b, "a", "over TLS")
	if got := banktest.Load(t, b, "a"); got != "over TLS" {
		t.Errorf("holds %q", got)
	}
}

func TestVirtualHostNamesTheBucketInTheHost(t *testing.T) {
	var host string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	// No name server knows bucket.localhost for certain: what is asked for shows in the error.
	o := options(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), fakeBucket)
	o.Style = "virtual-host"
	if _, err := s3.Open(t.Context(), o, s3.Host{Now: time.Now}); err == nil || host != "" && !strings.HasPrefix(host, fakeBucket+".") ||
		host == "" && !strings.Contains(err.Error(), fakeBucket+".localhost") {
		t.Errorf("host %q, error %v", host, err)
	}
}

func TestBankOfPythonKarborIsRead(t *testing.T) {
	f := newFake(t)
	f.versions["/indices/by-date/2020-01-01/p/1@c"] = []stored{{data: []byte("c"), at: time.Now()}}
	f.versions["/checkpoints/c/index.json"] = []stored{{data: []byte("{}"), at: time.Now()}}
	b := openBank(t, f.URL, fakeBucket, func(o *s3.Options) { o.Layout09, o.ReadOnly = true, true })
	infos, err := b.List(t.Context(), "indices/", "", 10)
	if err != nil || len(infos) != 1 || infos[0].Key != "indices/by-date/2020-01-01/p/1@c" {
		t.Errorf("lists %v, %v", infos, err)
	}
	if got := banktest.Load(t, b, "checkpoints/c/index.json"); got != "{}" {
		t.Errorf("holds %q", got)
	}
}
