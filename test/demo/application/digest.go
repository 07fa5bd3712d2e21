package application

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// blockSize is the unit in which two disks are compared.
const blockSize = 4096

// blockSeed makes block sums comparable within one run.
var blockSeed = maphash.MakeSeed()

// Digest is what the cloud gave of one disk or image.
type Digest struct {
	Name  string
	Bytes int64
	// Data are the bytes in blocks that are not all zero.
	Data int64
	// SHA256 is over all bytes.
	SHA256 string
	Took   time.Duration

	blocks []uint64
	guest  []byte
}

// GuestAt is the place of the one block of 4 KiB that the simulated guest
// writes at each boot (internal/testcloud/nova), in bytes from the start of a
// root disk.
const GuestAt = 1 << 20

// Guest gives what the guest wrote into its block when it booted, if the block
// is one of a guest of that host name, else "".
func (d *Digest) Guest(hostname string) string {
	text, _, _ := bytes.Cut(d.guest, []byte{0})
	if !bytes.HasPrefix(text, []byte("guest journal\nhostname="+hostname+"\n")) {
		return ""
	}
	lines := bytes.SplitN(text, []byte("\n"), 5)
	return string(bytes.Join(lines[:len(lines)-1], []byte(" ")))
}

// Differences gives the byte offsets of the 4 KiB blocks that differ. Blocks
// that only one of the two has differ when they are not all zero.
func (d *Digest) Differences(other *Digest) []int64 {
	zero := maphash.Bytes(blockSeed, make([]byte, blockSize))
	at := func(d *Digest, i int) uint64 {
		if i < len(d.blocks) {
			return d.blocks[i]
		}
		return zero
	}
	var out []int64
	for i := range max(len(d.blocks), len(other.blocks)) {
		if at(d, i) != at(other, i) {
			out = append(out, int64(i)*blockSize)
		}
	}
	return out
}

// read takes the digest of a stream.
func read(name string, r io.Reader) (*Digest, error) {
	d := &Digest{Name: name}
	whole := sha256.New()
	block := make([]byte, blockSize)
	zero := make([]byte, blockSize)
	buffered := bufio.NewReaderSize(io.TeeReader(r, whole), mib)
	for {
		n, err := io.ReadFull(buffered, block)
		if n > 0 {
			clear(block[n:])
			d.Bytes += int64(n)
			if !bytes.Equal(block, zero) {
				d.Data += int64(n)
			}
			if int64(len(d.blocks))*blockSize == GuestAt {
				d.guest = bytes.Clone(block)
			}
			d.blocks = append(d.blocks, maphash.Bytes(blockSeed, block))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	d.SHA256 = hex.EncodeToString(whole.Sum(nil))
	return d, nil
}

// imageDigest downloads an image and takes its digest.
func (c *Cloud) imageDigest(ctx context.Context, name, id string) (*Digest, error) {
	start := time.Now()
	r, err := c.download(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // what matters was read
	d, err := read(name, r)
	if err == nil {
		d.Took = time.Since(start)
	}
	return d, err
}

// volumeDigest has the cloud make an image of a volume, attached or not, and
// takes the image's digest.
func (c *Cloud) volumeDigest(ctx context.Context, name, id string) (d *Digest, err error) {
	start := time.Now()
	image, err := c.volumeImage(ctx, id)
	if image != "" {
		defer func() { err = errors.Join(err, c.dropImage(context.WithoutCancel(ctx), image)) }()
	}
	if err != nil {
		return nil, err
	}
	if d, err = c.imageDigest(ctx, name, image); err == nil {
		d.Took = time.Since(start)
	}
	return d, err
}

// volumeImage makes an image of a volume. Its id is given also with an error.
func (c *Cloud) volumeImage(ctx context.Context, id string) (string, error) {
	answer, err := call(ctx, c.volume, http.MethodPost, "volumes/"+id+"/action", map[string]any{
		"os-volume_upload_image": map[string]any{"image_name": "demo-digest-" + id, "disk_format": "raw",
			"container_format": "bare", "force": true}})
	if err != nil {
		return "", fmt.Errorf("making an image of the volume %s: %w", id, err)
	}
	image := answer.doc("os-volume_upload_image").text("image_id")
	if _, err = settled(ctx, c.image, "images/"+image, "", "active"); err != nil {
		return image, err
	}
	// The volume goes back to its status a moment later than the image.
	return image, until(ctx, "waiting for the volume "+id, func() (bool, error) {
		v, err := call(ctx, c.volume, http.MethodGet, "volumes/"+id, nil)
		return v.doc("volume").text("status") != "uploading", err
	})
}

// diskDigest has the cloud make an image of a server's root disk and takes its
// digest.
func (c *Cloud) diskDigest(ctx context.Context, name, server string) (d *Digest, err error) {
	start := time.Now()
	answer, err := call(ctx, c.compute, http.MethodPost, "servers/"+server+"/action", map[string]any{
		"createImage": map[string]any{"name": "demo-digest-" + server}})
	if err != nil {
		return nil, fmt.Errorf("making an image of the server %s: %w", server, err)
	}
	image := answer.text("image_id")
	defer func() { err = errors.Join(err, c.dropImage(context.WithoutCancel(ctx), image)) }()
	if _, err = settled(ctx, c.image, "images/"+image, "", "active"); err != nil {
		return nil, err
	}
	if d, err = c.imageDigest(ctx, name, image); err == nil {
		d.Took = time.Since(start)
	}
	return d, err
}

// The names of an application's disks in its digests.
const (
	RootVolume  = "root volume of the first server"
	DataVolume  = "data volume of the first server"
	RootDisk    = "root disk of the second server"
	ServerImage = "image of the second server"
)

// Digests takes those of all disks, two at a time. The servers are to be at
// rest.
func (c *Cloud) Digests(ctx context.Context, app *Application) (map[string]*Digest, error) {
	names := []string{RootVolume, DataVolume, RootDisk}
	taken := make([]*Digest, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i, take := range []func(context.Context) (*Digest, error){
		func(ctx context.Context) (*Digest, error) { return c.volumeDigest(ctx, names[0], app.RootVolume) },
		func(ctx context.Context) (*Digest, error) { return c.volumeDigest(ctx, names[1], app.DataVolume) },
		func(ctx context.Context) (*Digest, error) { return c.diskDigest(ctx, names[2], app.Second) },
	} {
		g.Go(func() (err error) {
			taken[i], err = take(ctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("taking the digests: %w", err)
	}
	out := map[string]*Digest{}
	for i, name := range names {
		out[name] = taken[i]
	}
	return out, nil
}

// ImageDigest takes the digest of the image that the second server was booted
// from.
func (c *Cloud) ImageDigest(ctx context.Context, app *Application) (*Digest, error) {
	return c.imageDigest(ctx, ServerImage, app.ServerImage)
}
