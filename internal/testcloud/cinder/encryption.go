package cinder

import (
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The properties of the image of an encrypted volume: the secret of its key, and whether
// that goes along with the image.
const (
	keyProperty = "cinder_encryption_key_id"
	keyPolicy   = "cinder_encryption_key_deletion_policy"
)

// encryption is how the volumes of a type are encrypted. Here nothing is: only the keys
// come, are cloned and go as in Cinder (volume_utils.clone_encryption_key and the flow
// create_volume), and bytes count as what a key makes of them. Unlike there, a volume
// that is made of a snapshot or volume keeps the key of that, as of back ends that can't
// change keys.
type encryption struct {
	ID       string `json:"id"`
	Provider string `json:"provider"`
	Cipher   string `json:"cipher"`
	KeySize  int    `json:"key_size"` // bits
	Location string `json:"location"`
}

// encrypt gives a new volume of an encrypted type a key of its own: a clone of its
// source's, or a new one.
func (c *Cinder) encrypt(who fabric.Identity, v *volume, kind volumeType) error {
	switch {
	case kind.Encryption == nil:
		return nil
	case v.Multiattach:
		return fabric.BadRequest("Invalid volume: Multiattach cannot be used with encrypted volumes.")
	case v.keyFrom != "":
		key, err := c.keys.CloneKey(who, v.keyFrom)
		v.KeyID = key
		return err
	}
	algorithm, _, _ := strings.Cut(kind.Encryption.Cipher, "-")
	v.KeyID = c.keys.CreateKey(who, algorithm, kind.Encryption.KeySize)
	return nil
}

func (c *Cinder) showVolumeEncryption(r *fabric.Request) error {
	v, err := c.volume(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	kind, _ := c.findType(v.Type)
	if v.KeyID == "" || kind.Encryption == nil {
		return r.JSON(http.StatusOK, map[string]any{})
	}
	e := kind.Encryption
	return r.JSON(http.StatusOK, map[string]any{"encryption_key_id": v.KeyID, "control_location": e.Location, "cipher": e.Cipher,
		"key_size": e.KeySize, "provider": e.Provider})
}

func (c *Cinder) encryptionRoutes() {
	c.handle("GET", "/types/{id}/encryption", func(r *fabric.Request) error {
		// By default no tenant sees how a type encrypts, nor whether it does.
		if err := mayAdmin(r, "volume_extension:volume_type_encryption:get"); err != nil {
			return err
		}
		kind, ok := c.findType(r.PathValue("id"))
		if !ok {
			return fabric.NotFound("Volume type %s could not be found.", r.PathValue("id"))
		}
		if kind.Encryption == nil {
			return r.JSON(http.StatusOK, map[string]any{})
		}
		return r.JSON(http.StatusOK, showEncryption(kind))
	})
	c.handle("POST", "/types/{id}/encryption", func(r *fabric.Request) error {
		var body struct {
			Encryption struct {
				Provider string `json:"provider"`
				Cipher   text   `json:"cipher"`
				KeySize  int    `json:"key_size"`
				Location string `json:"control_location"`
			} `json:"encryption"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if err := mayAdmin(r, "volume_extension:volume_type_encryption:create"); err != nil {
			return err
		}
		kind, ok := c.findType(r.PathValue("id"))
		if !ok {
			return fabric.NotFound("Volume type %s could not be found.", r.PathValue("id"))
		}
		if len(c.volumes.List(func(v volume) bool { return v.Type == kind.Name })) > 0 {
			return fabric.BadRequest("Cannot create encryption specs. Volume type in use.")
		}
		ask := body.Encryption
		kind.Encryption = &encryption{fabric.NewID(), ask.Provider, string(ask.Cipher), ask.KeySize, ask.Location}
		c.types.Put(kind.ID, kind)
		return r.JSON(http.StatusOK, map[string]any{"encryption": showEncryption(kind)})
	})
}

func showEncryption(kind volumeType) map[string]any {
	e := kind.Encryption
	return map[string]any{"volume_type_id": kind.ID, "encryption_id": e.ID, "provider": e.Provider, "cipher": e.Cipher,
		"key_size": e.KeySize, "control_location": e.Location}
}
