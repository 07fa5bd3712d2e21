package openstack

import (
	"context"
	"crypto/md5" //nolint:gosec // Glance's own digest of old images; nothing secret hangs on it.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// ImageDigest is what Glance says of the bytes of an image. What it does not say is
// empty.
type ImageDigest struct {
	Size int64 // bytes
	// Most is how many bytes are taken where Glance does not say the size, as they are of a volume
	// which has so many; 0 for not known. It is not Glance's word.
	Most     int64
	Checksum string // MD5, as hex digits
	// HashAlgo is a name as of Python's hashlib, such as sha512; HashValue has hex digits.
	HashAlgo, HashValue string
}

// mostBytes is the most that is taken of an image of which nobody says how large it is: Glance itself takes
// no larger one, unless its operator lets it (image_size_cap).
const mostBytes = 1 << 40

// bound gives how many bytes may come.
func (d ImageDigest) bound() int64 {
	switch {
	case d.Size > 0:
		return d.Size
	case d.Most > 0:
		return d.Most
	}
	return mostBytes
}

// hasher gives a digest that Glance has too, and its value there; nil if it has none
// that we know.
func (d ImageDigest) hasher() (hash.Hash, string) {
	switch {
	case d.HashAlgo == "sha512" && d.HashValue != "":
		return sha512.New(), d.HashValue
	case d.HashAlgo == "sha256" && d.HashValue != "":
		return sha256.New(), d.HashValue
	case d.Checksum != "":
		return md5.New(), d.Checksum //nolint:gosec // see the import
	default:
		return nil, ""
	}
}

// CopyImage copies the bytes of an image to w, and tells report (nil for none) how many
// it has. They must be those that Glance has announced: otherwise the error is a
// transient one, and w has at most one byte more than the announced size.
func CopyImage(ctx context.Context, client *gophercloud.ServiceClient, id string, want ImageDigest, w io.Writer, report func(done, total int64)) error {
	body, total, err := DownloadImage(ctx, client, id)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	meter := &protection.Meter{Reader: body, Total: total, Report: report}
	bound := want.bound()
	if total <= 0 {
		meter.Total = want.Size
	}
	sum, value := want.hasher()
	if sum != nil {
		w = io.MultiWriter(w, sum)
	}
	moved, err := io.Copy(w, io.LimitReader(meter, bound+1))
	if err != nil {
		return err
	}
	if moved > bound || want.Size > 0 && moved != want.Size || sum != nil && !strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), value) {
		return karbor.Transientf("the bytes read of image %s do not have the size and digest that Glance gives", id)
	}
	return nil
}
