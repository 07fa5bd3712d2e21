//go:build banks

package s3_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/banktest/versitygw"
	"github.com/karbor/karbor/bank/s3"
	"github.com/karbor/karbor/bank/wrap"
)

var buckets atomic.Int64

// newBucket makes a bucket.
func newBucket(t testing.TB, endpoint string, versions, lock bool) string {
	t.Helper()
	client := admin(t, endpoint)
	name := fmt.Sprintf("bank-%d", buckets.Add(1))
	if err := client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{ObjectLocking: lock}); err != nil {
		t.Fatal(err)
	}
	if versions && !lock {
		if err := client.EnableVersioning(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func admin(t testing.TB, endpoint string) *minio.Client {
	t.Helper()
	client, err := minio.New(endpoint[len("http://"):], &minio.Options{
		Creds: credentials.NewStaticV4(versitygw.AccessKeyID, versitygw.SecretAccessKey, ""), Region: versitygw.Region, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestS3OnVersitygwIsABank(t *testing.T) {
	endpoint := versitygw.Start(t)
	for name, kind := range map[string]struct{ versions, lock bool }{
		"plain": {}, "versions": {versions: true}, "lock": {versions: true, lock: true},
	} {
		t.Run(name, func(t *testing.T) {
			banktest.Run(t, func(t *testing.T) bank.Bank {
				b := openBank(t, endpoint, newBucket(t, endpoint, kind.versions, kind.lock), nil)
				if traits := b.Traits(); !traits.AtomicCreate || !traits.ConsistentList || traits.ObjectLock != kind.lock {
					t.Fatalf("the store was seen to have %+v", traits)
				}
				// As the plug-in opens it: a store may fail for a moment.
				retry := wrap.Defaults()
				return retry.Around(b)
			})
		})
	}
}

func TestObjectLockOnVersitygwKeepsWhatLasts(t *testing.T) {
	endpoint := versitygw.Start(t)
	bucket := newBucket(t, endpoint, true, true)
	b := openBank(t, endpoint, bucket, func(o *s3.Options) {
		o.ObjectLock = &s3.ObjectLock{Mode: "compliance", Period: time.Hour}
	})
	const kept, lease = "v1/states/p/c/00000001", "v1/leases/owner/00000001"
	for _, key := range []string{kept, lease} {
		if err := b.Create(t.Context(), key, strings.NewReader("good"), 4); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(t.Context(), lease); err != nil {
		t.Errorf("a lease: %v", err)
	}
	if err := b.Delete(t.Context(), kept); karbor.KindOf(err) != karbor.Conflict || err == nil || !strings.Contains(err.Error(), "locked until") {
		t.Errorf("what is locked: %v", err)
	}
	// A thief with the same credentials adds a version, and a delete marker.
	thief := admin(t, endpoint)
	if _, err := thief.PutObject(t.Context(), bucket, kept+"!", strings.NewReader("bad"), 3, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := thief.RemoveObject(t.Context(), bucket, kept+"!", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []bank.Bank{b, openBank(t, endpoint, bucket, nil)} {
		if got := banktest.Load(t, b, kept); got != "good" {
			t.Errorf("holds %q", got)
		}
		infos, err := b.List(t.Context(), "v1/", "", 10)
		if err != nil || len(infos) != 1 || infos[0].Key != kept || infos[0].Size != 4 {
			t.Errorf("lists %v, %v", infos, err)
		}
		if err := b.Create(t.Context(), kept, strings.NewReader("x"), 1); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("create: %v", err)
		}
	}
}

func TestVersitygwKeepsLocksOfWhatIsHeld(t *testing.T) {
	endpoint := versitygw.Start(t)
	for _, mode := range []string{"governance", "compliance"} {
		t.Run(mode, func(t *testing.T) {
			banktest.Run(t, func(t *testing.T) bank.Bank {
				b := openBank(t, endpoint, newBucket(t, endpoint, true, true), func(o *s3.Options) {
					o.ObjectLock = &s3.ObjectLock{Mode: mode, Held: 2 * time.Hour}
				})
				if traits := b.Traits(); traits.LockAhead != 2*time.Hour {
					t.Fatalf("the store was seen to have %+v", traits)
				}
				retry := wrap.Defaults()
				return retry.Around(b)
			})
		})
	}
}

func TestWrongSecretIsRefusedByVersitygw(t *testing.T) {
	endpoint := versitygw.Start(t)
	o := options(t, endpoint, newBucket(t, endpoint, false, false))
	if err := os.WriteFile(o.Credentials.SecretAccessKeyFile, []byte("wrong-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s3.Open(t.Context(), o, host())
	if karbor.KindOf(err) != karbor.Unavailable || karbor.IsTransient(err) || strings.Contains(fmt.Sprint(err), "wrong-secret") {
		t.Errorf("got %v", err)
	}
}
