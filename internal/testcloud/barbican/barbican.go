// Package barbican simulates the Key Manager API v1 as far as symmetric keys go: secrets
// with their payloads, as tenants store and read them, and as Cinder and Glance do in
// their names. Payloads are kept as they are.
//
// Written after the source of the service (barbican/api/controllers/secrets.py, policies)
// and of castellan. Unlike there, secrets have no lists of access, no containers, orders
// and transport keys.
package barbican

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// serviceName is what faults know the service by.
const serviceName = "barbican"

// octets is the type of payloads that are bytes.
const octets = "application/octet-stream"

// maxPayload is Barbican's own limit, in bytes.
const maxPayload = 20000

// Barbican is the key manager.
type Barbican struct {
	*fabric.Service
	fab     *fabric.Fabric
	secrets *fabric.Collection[secret]
}

// secret is a secret as it is kept.
type secret struct {
	ID          string    `json:"id"`
	Project     string    `json:"project"`
	Creator     string    `json:"creator"`
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Algorithm   string    `json:"algorithm"`
	BitLength   int       `json:"bit_length"`
	Mode        string    `json:"mode"`
	Payload     []byte    `json:"payload"`
	ContentType string    `json:"content_type"`
	CreatedAt   time.Time `json:"created_at"`
}

// New makes the service.
func New(f *fabric.Fabric) *Barbican {
	b := &Barbican{
		Service: fabric.NewService(f, serviceName, fabric.FalconStyle, nil), fab: f,
		secrets: fabric.NewCollection[secret](f.Store, "barbican-secrets"),
	}
	b.HandleOpen("GET /key-manager", func(r *fabric.Request) error {
		return r.JSON(http.StatusMultipleChoices, map[string]any{"versions": map[string]any{"values": []any{map[string]any{
			"id": "v1", "status": "stable", "updated": "2015-04-28T00:00:00Z",
			"links":       []any{map[string]string{"rel": "self", "href": r.Base() + "/key-manager/v1/"}},
			"media-types": []any{map[string]string{"base": "application/json", "type": "application/vnd.openstack.key-manager-v1+json"}}}}}})
	})
	b.Handle("POST /key-manager/v1/secrets", b.store)
	b.Handle("GET /key-manager/v1/secrets", b.list)
	b.Handle("GET /key-manager/v1/secrets/{id}", func(r *fabric.Request) error {
		s, err := b.own(r, "secret:get")
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, b.show(r, s))
	})
	b.Handle("GET /key-manager/v1/secrets/{id}/payload", b.payload)
	b.Handle("DELETE /key-manager/v1/secrets/{id}", func(r *fabric.Request) error {
		s, err := b.own(r, "secret:delete")
		if err != nil {
			return err
		}
		b.secrets.Delete(s.ID)
		return r.Empty(http.StatusNoContent)
	})
	return b
}

// own gives the secret that a request names, if the identity may use it: secrets are for
// the members of their project.
func (b *Barbican) own(r *fabric.Request, policy string) (secret, error) {
	if uuid.Validate(r.PathValue("id")) != nil {
		return secret{}, fabric.NotFound("Not Found. Provided secret id is invalid.")
	}
	s, ok := b.secrets.Get(r.PathValue("id"))
	if !ok {
		return secret{}, fabric.NotFound("Secret not found.")
	}
	if s.Project != r.ProjectID || !r.Writer() {
		return secret{}, refused(policy)
	}
	return s, nil
}

func refused(policy string) error {
	return fabric.Forbidden("%s attempt not allowed - please review your user/project privileges", policy)
}

func (b *Barbican) store(r *fabric.Request) error {
	var ask struct {
		Name      string `json:"name"`
		Type      string `json:"secret_type"`
		Algorithm string `json:"algorithm"`
		BitLength int    `json:"bit_length"`
		Mode      string `json:"mode"`
		Payload   string `json:"payload"`
		Content   string `json:"payload_content_type"`
		Encoding  string `json:"payload_content_encoding"`
	}
	if err := r.Decode(&ask); err != nil {
		return err
	}
	if !r.Writer() {
		return refused("secrets:post")
	}
	s := secret{ID: fabric.NewID(), Project: r.ProjectID, Creator: r.UserID, Name: ask.Name, Type: ask.Type, Algorithm: ask.Algorithm,
		BitLength: ask.BitLength, Mode: ask.Mode, ContentType: ask.Content, CreatedAt: b.fab.Clock.Now()}
	if s.Type == "" {
		s.Type = "opaque"
	}
	switch {
	case ask.Content == octets && ask.Encoding == "base64":
		payload, err := base64.StdEncoding.DecodeString(ask.Payload)
		if err != nil {
			return fabric.BadRequest("Provided object does not match schema 'Secret': Invalid payload for payload_content_encoding.")
		}
		s.Payload = payload
	case ask.Content == octets:
		return fabric.BadRequest("Provided object does not match schema 'Secret': payload_content_encoding must be specified when payload_content_type is application/octet-stream.")
	default:
		s.Payload = []byte(ask.Payload)
	}
	if len(s.Payload) == 0 || len(s.Payload) > maxPayload {
		return fabric.BadRequest("Provided object does not match schema 'Secret': If 'payload' is supplied, it must be non-empty and not too large.")
	}
	b.secrets.Put(s.ID, s)
	return r.JSON(http.StatusCreated, map[string]any{"secret_ref": b.ref(r, s.ID)})
}

func (b *Barbican) ref(r *fabric.Request, id string) string {
	return r.Base() + "/key-manager/v1/secrets/" + id
}

func (b *Barbican) show(r *fabric.Request, s secret) map[string]any {
	stamp := s.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000")
	return map[string]any{"secret_ref": b.ref(r, s.ID), "name": s.Name, "status": "ACTIVE", "secret_type": s.Type,
		"algorithm": textOrNull(s.Algorithm), "bit_length": numberOrNull(s.BitLength), "mode": textOrNull(s.Mode), "expiration": nil,
		"creator_id": s.Creator, "created": stamp, "updated": stamp, "content_types": map[string]string{"default": s.ContentType}}
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func numberOrNull(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// defaultPage is how many secrets a list has for which no limit is asked.
const defaultPage = 10

func (b *Barbican) list(r *fabric.Request) error {
	if !r.Writer() {
		return refused("secrets:get")
	}
	name := r.URL.Query().Get("name")
	found := b.secrets.List(func(s secret) bool { return s.Project == r.ProjectID && (name == "" || s.Name == name) })
	offset, err := r.Int("offset", 0)
	if err != nil {
		return err
	}
	limit, err := r.Int("limit", defaultPage)
	if err != nil {
		return err
	}
	page := []any{}
	for _, s := range found[min(offset, len(found)):min(offset+limit, len(found))] {
		page = append(page, b.show(r, s))
	}
	return r.JSON(http.StatusOK, map[string]any{"secrets": page, "total": len(found)})
}

func (b *Barbican) payload(r *fabric.Request) error {
	s, err := b.own(r, "secret:decrypt")
	if err != nil {
		return err
	}
	if accept := r.Header.Get("Accept"); accept != "" && accept != s.ContentType && !strings.Contains(accept, "*/*") {
		return fabric.Errorf(http.StatusNotAcceptable, "Wrong payload content-type")
	}
	r.W.Header().Set("Content-Type", s.ContentType)
	_, err = r.W.Write(s.Payload)
	return err
}

// CreateKey implements fabric.Keys.
func (b *Barbican) CreateKey(who fabric.Identity, algorithm string, bits int) string {
	// The bytes of two random ids are enough for a key that guards nothing.
	var bytes []byte
	for len(bytes) < (bits+7)/8 {
		id := uuid.New()
		bytes = append(bytes, id[:]...)
	}
	s := secret{ID: fabric.NewID(), Project: who.ProjectID, Creator: who.UserID, Type: "symmetric", Algorithm: algorithm, BitLength: bits,
		Mode: "CBC", Payload: slices.Clone(bytes[:(bits+7)/8]), ContentType: octets, CreatedAt: b.fab.Clock.Now()}
	b.secrets.Put(s.ID, s)
	return s.ID
}

// CloneKey implements fabric.Keys. As castellan does, it keeps no mode.
func (b *Barbican) CloneKey(who fabric.Identity, id string) (string, error) {
	s, ok := b.secrets.Get(id)
	if !ok || s.Project != who.ProjectID || !who.Writer() {
		return "", fabric.BadRequest("Key manager error")
	}
	s.ID, s.Creator, s.Mode, s.CreatedAt = fabric.NewID(), who.UserID, "", b.fab.Clock.Now()
	b.secrets.Put(s.ID, s)
	return s.ID, nil
}

// DropKey implements fabric.Keys.
func (b *Barbican) DropKey(id string) { b.secrets.Delete(id) }

var _ fabric.Keys = (*Barbican)(nil)
