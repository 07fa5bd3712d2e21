package nova

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// guestBlock is how much a boot writes, in bytes, at most.
const guestBlock = 4096

// boot lets the guest write its block into the root disk, a moment after the
// server became active.
func (n *Nova) boot(s Server) {
	n.fab.Transit("nova", "server.boot", s.ProjectID, func(ctx context.Context, fail bool) {
		lock := n.lock(s.ID)
		defer lock.Unlock()
		now, ok := n.servers.Get(s.ID)
		if !ok || fail || ctx.Err() != nil || now.Task == deleting || now.Written >= now.Boots {
			return
		}
		if err := n.writeBlock(now); err != nil {
			n.fab.Log.Warn("a guest could not write into its root disk", "server", s.ID, "error", err)
			return
		}
		n.change(s.ID, func(s *Server) { s.Written = s.Boots })
	})
}

// writeBlock writes the block of the server's last boot. A disk that isn't
// raw gets it behind its end, where its format does not look.
func (n *Nova) writeBlock(s Server) error {
	blob, size, raw := n.blob(s.ID), s.RootSize, s.Image.DiskFormat == "raw" || s.Image.DiskFormat == ""
	if d := s.rootDevice(); d != nil {
		blob, size, raw = n.volumes.VolumeBlob(d.VolumeID), n.fab.VolumeBytes(d.SizeGiB), true
	}
	f, err := n.fab.Blobs.OpenWrite(blob)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the root disk is missing: %w", err)
	}
	if err != nil {
		return err
	}
	at, length := guestPlace(size, raw)
	_, err = f.WriteAt(guestBytes(s)[:length], at)
	return errors.Join(err, f.Close())
}

// guestPlace tells where in a root disk of size bytes the guest writes, and
// how much: at 1 MiB, or in the middle of a smaller disk.
func guestPlace(size int64, raw bool) (at, length int64) {
	if !raw {
		return size, guestBlock
	}
	if size >= 2<<20 {
		return 1 << 20, guestBlock
	}
	at = size / 2 / 512 * 512
	return at, min(guestBlock, size-at)
}

// guestBytes are the bytes of a server's boot: the same ones for the same
// server and boot.
func guestBytes(s Server) []byte {
	block := make([]byte, guestBlock)
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", s.ID, s.Boots))
	_, _ = rand.NewChaCha8(seed).Read(block)
	copy(block, fmt.Sprintf("guest journal\nhostname=%s\nserver=%s\nboot=%d\n", s.Hostname, s.ID, s.Boots))
	return block
}

// RootBlob names the file of a server's root disk, and tells whether there is
// such a server; for tests that look at the bytes.
func (n *Nova) RootBlob(id string) (fabric.Blob, bool) {
	s, ok := n.servers.Get(id)
	if d := s.rootDevice(); ok && d != nil {
		return n.volumes.VolumeBlob(d.VolumeID), true
	}
	return n.blob(id), ok
}
