//go:build banks

package swift_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/s3"
)

// accessKey is the user of tempauth as Swift's S3 interface knows it.
const accessKey = "karbor:karbor"

func TestS3BankOnSwiftsS3InterfaceIsABank(t *testing.T) {
	c := startCluster(t)
	client, err := minio.New(strings.TrimPrefix(c.proxy, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, userPassword, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := s3.Defaults()
	o.Endpoint, o.IdleTimeout = c.proxy, 20*time.Second
	o.Credentials = s3.Credentials{AccessKeyID: accessKey, SecretAccessKeyFile: secretFile(t, userPassword)}
	banktest.Run(t, func(t *testing.T) bank.Bank {
		o.Bucket = fmt.Sprintf("bank-%d", containers.Add(1))
		if err := client.MakeBucket(t.Context(), o.Bucket, minio.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
		b, err := s3.Open(t.Context(), o, s3.Host{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if traits := b.Traits(); traits.AtomicCreate || traits.ConsistentList || traits.ObjectLock {
			t.Fatalf("Swift is taken to have %+v", traits)
		}
		return o.Around(b)
	})
}

func TestBankMovesBetweenSwiftsInterfaces(t *testing.T) {
	c := startCluster(t)
	native := openBank(t, c.keystone().URL, "both-ways", nil)
	banktest.Store(t, native, "a", "written to Swift")
	banktest.Store(t, native, "a/b", "so too")
	o := s3.Defaults()
	o.Endpoint, o.Bucket = c.proxy, "both-ways"
	o.Credentials = s3.Credentials{AccessKeyID: accessKey, SecretAccessKeyFile: secretFile(t, userPassword)}
	b, err := s3.Open(t.Context(), o, s3.Host{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	banktest.Store(t, b, "c", "written to S3")
	for key, want := range map[string]string{"a": "written to Swift", "a/b": "so too", "c": "written to S3"} {
		if got := banktest.Load(t, b, key); got != want {
			t.Errorf("through S3, %s holds %q", key, got)
		}
		if got := banktest.Load(t, native, key); got != want {
			t.Errorf("through Swift, %s holds %q", key, got)
		}
	}
}
