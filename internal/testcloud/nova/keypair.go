package nova

import (
	"crypto/md5" //nolint:gosec // the fingerprint of an SSH key is MD5 by its format
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Keypair is a user's key; servers get its public part.
type Keypair struct {
	Number                 int
	UserID, Name, Type     string
	PublicKey, Fingerprint string
	CreatedAt              time.Time
}

// keyID is what a key pair is kept under: names are unique for a user.
func keyID(user, name string) string { return user + " " + name }

func (n *Nova) keypairRoutes() {
	path := root + "/os-keypairs"
	n.Handle("GET "+path, func(r *fabric.Request) error {
		user := keyUser(r)
		list := []object{}
		for _, k := range n.keypairs.List(func(k Keypair) bool { return k.UserID == user }) {
			list = append(list, object{"keypair": k.view(r)})
		}
		return r.JSON(http.StatusOK, object{"keypairs": list})
	})
	n.Handle("POST "+path, n.createKeypair)
	n.Handle("GET "+path+"/{name}", func(r *fabric.Request) error {
		k, err := n.keypair(r)
		if err != nil {
			return err
		}
		o := k.view(r)
		o["user_id"], o["created_at"], o["id"] = k.UserID, fabric.Micros(k.CreatedAt), k.Number
		o["deleted"], o["deleted_at"], o["updated_at"] = false, nil, nil
		return r.JSON(http.StatusOK, object{"keypair": o})
	})
	n.Handle("DELETE "+path+"/{name}", func(r *fabric.Request) error {
		k, err := n.keypair(r)
		if err != nil {
			return err
		}
		n.keypairs.Delete(keyID(k.UserID, k.Name))
		if r.Version.AtLeast(2, 2) {
			return r.Empty(http.StatusNoContent)
		}
		return accepted(r)
	})
}

// keyUser is whose keys are asked for: an administrator may name another.
func keyUser(r *fabric.Request) string {
	if user := r.URL.Query().Get("user_id"); user != "" && r.Admin() {
		return user
	}
	return r.UserID
}

func (n *Nova) keypair(r *fabric.Request) (Keypair, error) {
	k, ok := n.keypairs.Get(keyID(keyUser(r), r.PathValue("name")))
	if !ok {
		return k, fabric.NotFound("Keypair %s not found for user %s", r.PathValue("name"), keyUser(r))
	}
	return k, nil
}

func (k Keypair) view(r *fabric.Request) object {
	o := object{"name": k.Name, "public_key": k.PublicKey, "fingerprint": k.Fingerprint}
	if r.Version.AtLeast(2, 2) {
		o["type"] = k.Type
	}
	return o
}

func (n *Nova) createKeypair(r *fabric.Request) error {
	var body struct {
		Keypair struct {
			Name      string `json:"name"`
			PublicKey string `json:"public_key"`
			Type      string `json:"type"`
		} `json:"keypair"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	want := body.Keypair
	if want.Name == "" {
		return fabric.BadRequest("Invalid input for field/attribute keypair. 'name' is a required property")
	}
	if want.PublicKey == "" && r.Version.AtLeast(2, 92) {
		return fabric.BadRequest("Invalid input for field/attribute keypair. Value: {'name': '%s'}. 'public_key' is a required property", want.Name)
	}
	k := Keypair{UserID: r.UserID, Name: want.Name, Type: "ssh", PublicKey: want.PublicKey, CreatedAt: n.fab.Clock.Now()}
	var private string
	if want.PublicKey == "" {
		var err error
		if k.PublicKey, private, err = newKey(); err != nil {
			return err
		}
	}
	var err error
	if k.Fingerprint, err = fingerprint(k.PublicKey); err != nil {
		return fabric.BadRequest("Keypair data is invalid: failed to generate fingerprint")
	}
	if err := n.keepKeypair(&k); err != nil {
		return err
	}
	o := k.view(r)
	o["user_id"] = k.UserID
	if private != "" {
		o["private_key"] = private
	}
	status := http.StatusOK
	if r.Version.AtLeast(2, 2) {
		status = http.StatusCreated
	}
	return r.JSON(status, object{"keypair": o})
}

func (n *Nova) keepKeypair(k *Keypair) error {
	return n.fab.Atomic(func() error {
		id := keyID(k.UserID, k.Name)
		if _, ok := n.keypairs.Get(id); ok {
			return fabric.Conflict("Key pair '%s' already exists.", k.Name)
		}
		all := n.keypairs.List(nil)
		for _, other := range all {
			k.Number = max(k.Number, other.Number)
		}
		k.Number++
		n.keypairs.Put(id, *k)
		return nil
	})
}

// newKey makes an RSA key and gives the public part as OpenSSH writes it (RFC
// 4253, section 6.6) and the private one in PEM.
func newKey() (public, private string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", fmt.Errorf("making a key: %w", err)
	}
	var blob []byte
	for _, part := range [][]byte{[]byte("ssh-rsa"), mpint(big.NewInt(int64(key.E))), mpint(key.N)} {
		blob = binary.BigEndian.AppendUint32(blob, uint32(len(part)))
		blob = append(blob, part...)
	}
	public = "ssh-rsa " + base64.StdEncoding.EncodeToString(blob) + " Generated-by-Nova"
	private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return public, private, nil
}

// mpint writes a positive number with a leading zero where its first bit is
// set.
func mpint(v *big.Int) []byte {
	b := v.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}

// fingerprint is the MD5 of a public key, as Nova shows it.
func fingerprint(public string) (string, error) {
	fields := strings.Fields(public)
	if len(fields) < 2 {
		return "", fmt.Errorf("reading a public key: it has %d fields", len(fields))
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(blob) < 16 {
		return "", fmt.Errorf("reading a public key: it is not base64")
	}
	sum := md5.Sum(blob) //nolint:gosec // see the import
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":"), nil
}
