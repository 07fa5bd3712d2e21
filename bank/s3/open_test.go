package s3_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor/bank/s3"
)

// options are those of a bank whose secret is in a file.
func options(t testing.TB, endpoint, bucket string) s3.Options {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("karbortest-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := s3.Defaults()
	o.Endpoint, o.Bucket = endpoint, bucket
	o.Credentials = s3.Credentials{AccessKeyID: "karbortest", SecretAccessKeyFile: secret}
	o.IdleTimeout = 20 * time.Second
	return o
}

func host() s3.Host { return s3.Host{Now: time.Now, Getenv: os.Getenv} }

// openBank opens a bank.
func openBank(t testing.TB, endpoint, bucket string, change func(o *s3.Options)) *s3.Bank {
	t.Helper()
	o := options(t, endpoint, bucket)
	if change != nil {
		change(&o)
	}
	b, err := s3.Open(t.Context(), o, host())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
