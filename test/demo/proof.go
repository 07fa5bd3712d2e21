package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/karbor/karbor/test/demo/application"
)

// proof is the story of a bank that is damaged, and then lost: a verification names the damage,
// and the copy in the other bank serves in both cases.
func (s *story) proof() []step {
	return []step{
		{"Open the cloud", s.open},
		{"Create the application", s.create},
		{"Take digests and properties from the cloud", s.look},
		{"Plan the two servers and the archive, draw the graph", s.plan},
		{"Protect", s.protect},
		{"Copy the checkpoint to the bank offsite", s.copy},
		{"Drill the checkpoint: its record is good, and a forged one is refused", s.drill},
		{"Turn over one bit of the main bank", s.flip},
		{"Verify the checkpoint, which must name the fault, and the copy, which must be good", s.verify},
		{"Report on the project: the copy counts as the last good one", s.comply},
		{"Destroy the application in the cloud", s.destroy},
		{"Restore the damaged checkpoint: the copy serves", s.restoreFromCopy},
		{"", s.judge},
		{"Destroy what was restored", s.destroyRestored},
		{"Stop karbord, remove the main bank, start karbord", s.loseBank},
		{"Restore without the main bank", s.restoreFromCopy},
		{"", s.judge},
	}
}

// copyBank is the provider's copy target in "karbord dev".
const copyBank = "offsite"

func (s *story) copy(ctx context.Context) error {
	var c struct {
		operation
		Progress []struct {
			CopyID string `json:"copy_id"`
			Bank   string
			Stored int64
		}
	}
	if err := s.karbor.JSON(ctx, true, &c, "copy", "create", s.providerID, s.planID, "--wait", "--timeout", "30m"); err != nil {
		return err
	}
	if len(c.Progress) != 1 || c.Progress[0].Bank != copyBank {
		return fmt.Errorf("one copy to %s was expected, not %+v", copyBank, c.Progress)
	}
	s.copyID = c.Progress[0].CopyID
	s.out.note("the copy is %s; its bank got %d bytes", s.copyID, c.Progress[0].Stored)
	return nil
}

// flip turns over a bit in the middle of the largest object of the main bank.
func (s *story) flip(context.Context) error {
	var name string
	var size int64
	root := filepath.Join(s.dir, "state", "bank")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > size {
			name, size = path, info.Size()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for an object of the main bank: %w", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return fmt.Errorf("damaging the main bank: %w", err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("damaging the main bank: %w", err)
	}
	one := make([]byte, 1)
	_, err = f.ReadAt(one, size/2)
	if err == nil {
		one[0] ^= 1
		_, err = f.WriteAt(one, size/2)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("damaging the main bank: %w", err)
	}
	relative, err := filepath.Rel(root, name)
	s.out.note("bit 0 of byte %d of %s, which has %d bytes", size/2, relative, size)
	return err
}

// verification is one as karbor prints it.
type verification struct {
	operation
	ResourceReason map[string]string `json:"resource_reason"`
}

// verified verifies a checkpoint to its end, however that is.
func (s *story) verified(ctx context.Context, id string) (v verification, err error) {
	if err := s.karbor.JSON(ctx, false, &v, "verification", "create", s.providerID, id); err != nil {
		return v, err
	}
	for deadline := time.Now().Add(10 * time.Minute); v.Status == "verifying"; {
		if time.Now().After(deadline) {
			return v, errors.New("the verification takes too long")
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		v = verification{operation: operation{ID: v.ID}}
		if err := s.karbor.JSON(ctx, false, &v, "verification", "show", v.ID); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (s *story) verify(ctx context.Context) error {
	v, err := s.verified(ctx, s.checkpointID)
	if err != nil {
		return err
	}
	named := 0
	for key, reason := range v.ResourceReason {
		if strings.Contains(reason, "damaged") {
			named++
		}
		s.out.note("%s: %s", key, reason)
	}
	if v.Status != "error" || named == 0 {
		return fmt.Errorf("the verification of the damaged checkpoint ended in %s, and names %d resources", v.Status, named)
	}
	if v, err = s.verified(ctx, s.copyID); err != nil {
		return err
	}
	if v.Status != "success" {
		return fmt.Errorf("the verification of the copy ended in %s: %v", v.Status, v.ResourceReason)
	}
	s.out.note("the copy is good")
	return nil
}

// restoreFromCopy restores the checkpoint, and expects that the copy stands in.
func (s *story) restoreFromCopy(ctx context.Context) error {
	if err := s.restore(ctx); err != nil {
		return err
	}
	var r struct {
		StandIn *struct {
			CheckpointID string `json:"checkpoint_id"`
			Bank, Reason string
		} `json:"stand_in"`
	}
	if err := s.karbor.JSON(ctx, false, &r, "restore", "show", s.restoreID); err != nil {
		return err
	}
	if r.StandIn == nil || r.StandIn.CheckpointID != s.copyID || r.StandIn.Bank != copyBank {
		return fmt.Errorf("the copy %s was to stand in, not %+v", s.copyID, r.StandIn)
	}
	s.out.note("the copy in %s stood in, as %s", r.StandIn.Bank, r.StandIn.Reason)
	return nil
}

func (s *story) destroyRestored(ctx context.Context) error {
	restored, err := s.cloud.Restored(ctx, s.app)
	if err != nil {
		return err
	}
	if err := s.cloud.Destroy(ctx, restored); err != nil {
		return err
	}
	return s.nothingLeft(ctx, &application.Application{})
}

func (s *story) loseBank(ctx context.Context) error {
	if err := s.process.Stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "state", "bank")); err != nil {
		return fmt.Errorf("removing the main bank: %w", err)
	}
	return s.process.Again(ctx)
}
