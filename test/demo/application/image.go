package application

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
)

const mib = 1 << 20

// upload makes an image of what r gives, with more members, and leaves the closing
// of r to the caller. The image's id is given also with an error.
func (c *Cloud) upload(ctx context.Context, name string, r io.Reader, more map[string]any) (string, error) {
	body := map[string]any{"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "private"}
	maps.Copy(body, more)
	d, err := call(ctx, c.image, http.MethodPost, "images", body)
	if err != nil {
		return "", fmt.Errorf("making the image %s: %w", name, err)
	}
	id := d.text("id")
	if err := imagedata.Upload(ctx, c.image, id, io.NopCloser(r)).ExtractErr(); err != nil {
		return id, fmt.Errorf("uploading the image %s: %w", name, err)
	}
	_, err = settled(ctx, c.image, "images/"+id, "", "active")
	return id, err
}

// download opens an image's bytes.
func (c *Cloud) download(ctx context.Context, id string) (io.ReadCloser, error) {
	r, err := imagedata.Download(ctx, c.image, id).Extract()
	if err != nil {
		return nil, fmt.Errorf("downloading the image %s: %w", id, err)
	}
	return r, nil
}

// random gives size bytes that no packing makes smaller, the same for the same
// seed.
func random(seed [32]byte, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8(seed), size)
}

// changed gives r with a few blocks rewritten, as a program at work leaves its
// volume: at the start of every tenth MiB, one block of new data.
func changed(r io.Reader, seed [32]byte) io.Reader {
	return &changer{r: r, fresh: rand.NewChaCha8(seed)}
}

type changer struct {
	r     io.Reader
	at    int64
	fresh io.Reader
}

// Read implements io.Reader.
func (c *changer) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i := range p[:n] {
		if at := c.at + int64(i); at/mib%10 == 0 && at%mib < blockSize {
			if _, err := io.ReadFull(c.fresh, p[i:i+1]); err != nil {
				return i, err
			}
		}
	}
	c.at += int64(n)
	return n, err
}

// flipped gives r with one bit of the byte at that place turned over.
func flipped(r io.Reader, at int64) io.Reader {
	return &flipper{r: r, left: at}
}

type flipper struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.left >= 0 && f.left < int64(n) {
		p[f.left] ^= 1
	}
	f.left -= int64(n)
	return n, err
}

// fileSystem makes the image of a file system with files in it: ext4 by mke2fs
// where the machine has it, else FAT16 by our own hand. What it gives is a file
// that the caller closes; it is unlinked already.
func fileSystem(ctx context.Context, seed [32]byte, size int64) (file *os.File, kind string, err error) {
	dir, err := os.MkdirTemp("", "karbor-demo-fs-")
	if err != nil {
		return nil, "", fmt.Errorf("making a folder for the file system: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	image := filepath.Join(dir, "image")
	tool, lookErr := exec.LookPath("mke2fs")
	if lookErr != nil {
		tool, lookErr = exec.LookPath("/sbin/mke2fs")
	}
	if lookErr == nil {
		kind, err = "ext4", makeExt4(ctx, tool, image, seed, size)
	} else {
		kind, err = "FAT16", makeFAT(image, seed, size)
	}
	if err != nil {
		return nil, "", fmt.Errorf("making a file system: %w", err)
	}
	if file, err = os.Open(image); err != nil {
		return nil, "", fmt.Errorf("opening the file system: %w", err)
	}
	return file, kind, nil
}

// makeExt4 fills a folder with files and lets mke2fs make an image of it.
func makeExt4(ctx context.Context, tool, image string, seed [32]byte, size int64) error {
	root := filepath.Join(filepath.Dir(image), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	data := rand.NewChaCha8(seed)
	const files = 8
	for i := range files {
		f, err := os.Create(filepath.Join(root, fmt.Sprintf("file-%d.bin", i)))
		if err != nil {
			return err
		}
		// A quarter of the image stays free for the file system itself.
		_, err = io.CopyN(f, data, size*3/4/files)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(root, "README"), []byte("the root disk of the demo's server\n"), 0o600); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, tool, "-q", "-t", "ext4", "-d", root, image, fmt.Sprintf("%dk", size/1024))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// dropImage deletes an image, which may have gone already.
func (c *Cloud) dropImage(ctx context.Context, id string) error {
	err := remove(ctx, c.image, "images/"+id)
	if gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		// Still in use by something that is about to end.
		return until(ctx, "deleting the image "+id, func() (bool, error) {
			err := remove(ctx, c.image, "images/"+id)
			if gophercloud.ResponseCodeIs(err, http.StatusConflict) {
				return false, nil
			}
			return err == nil, err
		})
	}
	return err
}
