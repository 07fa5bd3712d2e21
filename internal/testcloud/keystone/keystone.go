// Package keystone simulates the Identity API v3: tokens, trusts, application
// credentials, the directory of projects, users and roles, and the catalog.
package keystone

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Options say what may differ between clouds.
type Options struct {
	TokenTTL       time.Duration // life of a token; 0 is 4 h
	Region         string        // empty: RegionOne
	DataProtectURL string        // URL of the data-protect endpoint, may hold %(project_id)s; empty: none
}

// Keystone is the identity service. It is also the cloud's authenticator.
type Keystone struct {
	*fabric.Service
	fab    *fabric.Fabric
	opts   Options
	issued atomic.Int64

	domains  *fabric.Collection[Domain]
	projects *fabric.Collection[Project]
	users    *fabric.Collection[User]
	roles    *fabric.Collection[Role]
	grants   *fabric.Collection[Grant]
	tokens   *fabric.Collection[token]
	trusts   *fabric.Collection[trust]
	// ends are the seconds that trusts end in, those of deleted ones, too.
	ends        *fabric.Collection[time.Time]
	credentials *fabric.Collection[credential]
	ids         *fabric.Collection[string]
	further     regions
}

// New makes the service and makes it the authenticator of the fabric.
func New(f *fabric.Fabric, o Options) *Keystone {
	if o.TokenTTL == 0 {
		o.TokenTTL = 4 * time.Hour
	}
	if o.Region == "" {
		o.Region = "RegionOne"
	}
	k := &Keystone{
		Service: fabric.NewService(f, "keystone", fabric.KeystoneStyle, nil), fab: f, opts: o,
		domains:     fabric.NewCollection[Domain](f.Store, "keystone-domains"),
		projects:    fabric.NewCollection[Project](f.Store, "keystone-projects"),
		users:       fabric.NewCollection[User](f.Store, "keystone-users"),
		roles:       fabric.NewCollection[Role](f.Store, "keystone-roles"),
		grants:      fabric.NewCollection[Grant](f.Store, "keystone-grants"),
		tokens:      fabric.NewCollection[token](f.Store, "keystone-tokens"),
		trusts:      fabric.NewCollection[trust](f.Store, "keystone-trusts"),
		ends:        fabric.NewCollection[time.Time](f.Store, "keystone-trust-ends"),
		credentials: fabric.NewCollection[credential](f.Store, "keystone-credentials"),
		ids:         fabric.NewCollection[string](f.Store, "keystone-ids"),
	}
	k.versionRoutes()
	k.tokenRoutes()
	k.trustRoutes()
	k.credentialRoutes()
	k.directoryRoutes()
	k.catalogRoutes()
	k.dropExpired()
	f.UseAuthenticator(k)
	return k
}

func (k *Keystone) versionRoutes() {
	version := func(r *fabric.Request) map[string]any {
		return map[string]any{
			"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
			"links": []any{map[string]string{"rel": "self", "href": r.Base() + "/v3/"}},
			"media-types": []any{map[string]string{
				"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
		}
	}
	k.HandleOpen("GET /{$}", func(r *fabric.Request) error {
		return r.JSON(http.StatusMultipleChoices, map[string]any{
			"versions": map[string]any{"values": []any{version(r)}}})
	})
	k.HandleOpen("GET /v3", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"version": version(r)})
	})
}

// newID gives a random id as Keystone has them: 32 hexadecimal digits.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// stamp writes a time as Keystone does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// parseStamp reads a time as Keystone's clients write it.
func parseStamp(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999", text)
	if err != nil {
		return t, fabric.BadRequest("Invalid input for field 'expires_at': %q is not a 'date-time'", text)
	}
	return t, nil
}

// notAuthenticated is the answer to any proof that is no good; it doesn't say
// what was wrong.
func notAuthenticated() error {
	return fabric.Errorf(http.StatusUnauthorized, "The request you have made requires authentication.")
}

// notAllowed is the answer to what a policy refuses.
func notAllowed(action string) error {
	return fabric.Forbidden("You are not authorized to perform the requested action: %s.", action)
}

func missing(noun, id string) error {
	return fabric.NotFound("Could not find %s: %s.", noun, id)
}
