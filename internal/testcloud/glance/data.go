package glance

import (
	"context"
	"crypto/md5" // Glance's checksum member is MD5 by definition
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// sums are the checksums of an image, computed while its bytes pass.
type sums struct{ md5, sha512 hash.Hash }

func newSums() sums { return sums{md5.New(), sha512.New()} }

func (s sums) Write(p []byte) (int, error) {
	s.md5.Write(p)
	s.sha512.Write(p)
	return len(p), nil
}

func (s sums) known() known {
	return known{Checksum: hex.EncodeToString(s.md5.Sum(nil)), HashValue: hex.EncodeToString(s.sha512.Sum(nil))}
}

// begin makes a queued image saving. The error is what the user is told.
func (g *Glance) begin(id string) error {
	_, ok, err := g.images.Update(id, func(i *image) error {
		switch {
		case i.Status != queued:
			return fabric.Conflict("Image status transition from %s to saving is not allowed", i.Status)
		case i.DiskFormat == "" || i.ContainerFormat == "":
			return fabric.BadRequest("Properties disk_format, container_format must be set prior to saving data.")
		}
		i.Status, i.UpdatedAt = saving, g.fab.Clock.Now()
		return nil
	})
	if err == nil && !ok {
		err = fabric.NotFound("No image found with ID %s", id)
	}
	return err
}

// finish makes a saving image active. When it has been deleted meanwhile, its
// bytes go.
func (g *Glance) finish(id string, size int64, k known) error {
	_, ok := g.change(id, func(i *image) {
		i.Status, i.Size, i.Checksum, i.HashValue = active, &size, k.Checksum, k.HashValue
	})
	if !ok {
		return errors.Join(fabric.Errorf(http.StatusGone, "The image was deleted while its data was saved."),
			g.fab.Blobs.Remove(image{ID: id}.blob()))
	}
	return nil
}

func (g *Glance) upload(r *fabric.Request) error {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); t != "application/octet-stream" {
		return fabric.Errorf(http.StatusUnsupportedMediaType, "The request media type %s is not supported by this server.\n", t)
	}
	i, err := g.own(r, "upload_image")
	if err != nil {
		return err
	}
	if err := g.begin(i.ID); err != nil {
		return err
	}
	s := newSums()
	size, err := g.fab.Blobs.Receive(r.Context(), i.blob(), io.TeeReader(r.Body, s))
	if err == nil && r.ContentLength > 0 && size != r.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		g.change(i.ID, func(i *image) { i.Status = queued })
		return fabric.BadRequest("Error occurred while saving the image's data: %v", err)
	}
	if err := g.finish(i.ID, size, s.known()); err != nil {
		return err
	}
	return r.Empty(http.StatusNoContent)
}

func (g *Glance) download(r *fabric.Request) error {
	i, err := g.find(r)
	if err != nil {
		return err
	}
	switch {
	case i.Status == deactivated && !r.Admin():
		return fabric.Forbidden("The requested image has been deactivated. Image data download is forbidden.")
	case i.Status != active && i.Status != deactivated, bytesOf(i) == 0:
		return r.Empty(http.StatusNoContent)
	}
	f, err := g.fab.Blobs.Open(i.blob())
	if errors.Is(err, os.ErrNotExist) {
		return fabric.NotFound("No image found with ID %s", i.ID)
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := r.W.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Md5", i.Checksum) // in hexadecimal, as Glance sends it
	// ServeContent does ranges; without a time it sends no Last-Modified.
	http.ServeContent(r.W, r.Request, "", time.Time{}, f)
	return nil
}

// Image gives an image that the identity may see.
func (g *Glance) Image(who fabric.Identity, id string) (fabric.Image, error) {
	i, ok := g.images.Get(id)
	if !ok || !i.visible(who) {
		return fabric.Image{}, fabric.NotFound("Image %s could not be found.", id)
	}
	return i.public(), nil
}

func (i image) public() fabric.Image {
	return fabric.Image{ID: i.ID, Name: i.Name, Project: i.Owner, Status: i.Status, Size: bytesOf(i),
		MinDisk: i.MinDisk, MinRAM: i.MinRAM, DiskFormat: i.DiskFormat, Container: i.ContainerFormat, Properties: i.Properties}
}

// OpenImage opens the bytes of an active image.
func (g *Glance) OpenImage(who fabric.Identity, id string) (*os.File, error) {
	i, err := g.Image(who, id)
	if err != nil {
		return nil, err
	}
	if i.Status != active {
		return nil, fabric.BadRequest("Image %s is not active.", id)
	}
	return g.fab.Blobs.Open(g.ImageBlob(id))
}

// ImageBlob names the file of an image's bytes.
func (g *Glance) ImageBlob(id string) fabric.Blob { return image{ID: id}.blob() }

// CreateImage makes an image in the state queued.
func (g *Glance) CreateImage(who fabric.Identity, spec fabric.ImageSpec) (fabric.Image, error) {
	i := g.blank(who)
	i.Name, i.DiskFormat, i.ContainerFormat, i.Visibility = spec.Name, spec.DiskFormat, spec.ContainerFormat, spec.Visibility
	i.MinDisk, i.MinRAM = spec.MinDisk, spec.MinRAM
	for field, usual := range map[*string]string{&i.DiskFormat: "raw", &i.ContainerFormat: "bare", &i.Visibility: private} {
		if *field == "" {
			*field = usual
		}
	}
	maps.Copy(i.Properties, spec.Properties)
	if err := checkVisibility(who, i.Visibility); err != nil {
		return fabric.Image{}, err
	}
	if err := g.insert(i); err != nil {
		return fabric.Image{}, err
	}
	return i.public(), nil
}

// FillImage copies the blob into a queued image. When the cloud is closed
// meanwhile the image stays as it is, and the next start makes it queued.
func (g *Glance) FillImage(ctx context.Context, id string, from fabric.Blob) error {
	if err := g.begin(id); err != nil {
		return err
	}
	size, k, err := g.copyIn(ctx, id, from)
	if err == nil {
		return g.finish(id, size, k)
	}
	if ctx.Err() == nil {
		g.change(id, func(i *image) { i.Status = killed })
	}
	return err
}

func (g *Glance) copyIn(ctx context.Context, id string, from fabric.Blob) (int64, known, error) {
	to := g.ImageBlob(id)
	if err := g.fab.Blobs.Copy(ctx, from, to, 0); err != nil {
		return 0, known{}, err
	}
	size, err := g.fab.Blobs.Size(to)
	if err != nil {
		return 0, known{}, err
	}
	k, err := g.digest(ctx, to, size)
	return size, k, err
}

// ActivateImage makes a queued image active without any bytes.
func (g *Glance) ActivateImage(id string) error {
	if err := g.begin(id); err != nil {
		return err
	}
	if err := g.fab.Blobs.Create(g.ImageBlob(id), 0); err != nil {
		return err
	}
	return g.finish(id, 0, newSums().known())
}

// DropImage removes an image, protected or not.
func (g *Glance) DropImage(id string) {
	g.images.Delete(id)
	if err := g.fab.Blobs.Remove(g.ImageBlob(id)); err != nil {
		g.fab.Log.Error("removing an image's bytes failed", "image", id, "error", err)
	}
}

var _ fabric.Images = (*Glance)(nil)
