package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// rereadAfter is how old a secret from a file may be.
const rereadAfter = 5 * time.Minute

// signer gives the credentials that the options tell of, having read them once.
func signer(ctx context.Context, c Credentials, h Host) (*credentials.Credentials, error) {
	switch {
	case c.Environment:
		id, secret := h.Getenv("AWS_ACCESS_KEY_ID"), h.Getenv("AWS_SECRET_ACCESS_KEY")
		if id == "" || secret == "" {
			return nil, karbor.Errorf(karbor.Invalid, "credentials: the environment has no AWS_ACCESS_KEY_ID or no AWS_SECRET_ACCESS_KEY")
		}
		return credentials.NewStaticV4(id, secret, h.Getenv("AWS_SESSION_TOKEN")), nil
	case c.ApplicationCredential != nil:
		id, secret, err := ec2Keys(ctx, *c.ApplicationCredential, h)
		if err != nil {
			return nil, fmt.Errorf("getting EC2 keys: %w", err)
		}
		return credentials.NewStaticV4(id, secret.Reveal(), ""), nil
	}
	if _, err := readSecret(c.SecretAccessKeyFile); err != nil {
		return nil, err
	}
	return credentials.New(&fileKeys{id: c.AccessKeyID, path: c.SecretAccessKeyFile, now: h.Now}), nil
}

// readSecret reads a secret from a file, without white space around it.
func readSecret(path string) (karbor.Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", karbor.Errorf(karbor.Invalid, "reading a secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", karbor.Errorf(karbor.Invalid, "the file %s does not hold one line with a secret", path)
	}
	return karbor.Secret(secret), nil
}

// fileKeys are an id and a secret in a file. It implements credentials.Provider.
type fileKeys struct {
	id, path string
	now      func() time.Time

	mu   sync.Mutex
	read time.Time
}

// Retrieve implements credentials.Provider.
func (k *fileKeys) Retrieve() (credentials.Value, error) { return k.RetrieveWithCredContext(nil) }

// RetrieveWithCredContext implements credentials.Provider.
func (k *fileKeys) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	secret, err := readSecret(k.path)
	if err != nil {
		return credentials.Value{}, err
	}
	k.mu.Lock()
	k.read = k.now()
	k.mu.Unlock()
	return credentials.Value{AccessKeyID: k.id, SecretAccessKey: secret.Reveal(), SignerType: credentials.SignatureV4}, nil
}

// IsExpired implements credentials.Provider.
func (k *fileKeys) IsExpired() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now().Sub(k.read) >= rereadAfter
}

// ec2Keys gets a user's EC2 keys from Keystone.
func ec2Keys(ctx context.Context, a ApplicationCredential, h Host) (id string, secret karbor.Secret, err error) {
	own, err := readSecret(a.SecretFile)
	if err != nil {
		return "", "", err
	}
	o := openstack.Options{AuthURL: a.AuthURL, Now: h.Now}
	if a.CAFile != "" {
		if o.CACert, err = os.ReadFile(a.CAFile); err != nil {
			return "", "", karbor.Errorf(karbor.Invalid, "reading the CA certificates: %w", err)
		}
	}
	cloud, err := openstack.NewCredentialSession(o, a.ID, own)
	if err != nil {
		return "", "", err
	}
	defer cloud.Close()
	id, secret, err = openstack.EC2Keys(ctx, cloud)
	// Whose rights are missing here are the operator's, not the tenant's.
	if kind := karbor.KindOf(err); err != nil && (kind == karbor.Unauthorized || kind == karbor.Forbidden) {
		return "", "", errors.Join(karbor.Errorf(karbor.Unavailable, "Keystone refuses the application credential"), err)
	}
	return id, secret, err
}
