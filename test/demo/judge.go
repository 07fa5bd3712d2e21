package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor/test/demo/application"
)

// plantedAt is the byte of the data volume that the self-test turns over: in
// the middle of its data, at no border of anything.
const plantedAt = 77<<20 + 1234

// judge compares the restored application with the original.
func (s *story) judge(ctx context.Context) error {
	var restored *application.Application
	var checks []check
	err := s.out.step("Compare the restored application with the original", func() (err error) {
		if restored, err = s.cloud.Restored(ctx, s.app); err != nil {
			return err
		}
		if err := s.nothingLeft(ctx, restored); err != nil {
			return err
		}
		after, err := takePicture(ctx, s.cloud, restored, true)
		if err != nil {
			return err
		}
		checks = compare(s.app, s.original, after, s.simulated())
		return nil
	})
	if err != nil {
		return fmt.Errorf("comparing: %w", err)
	}
	s.out.summary(checks)
	s.checkpoints()
	if n := faults(checks); n > 0 {
		return fmt.Errorf("the restored application is not the original: %d differences", n)
	}
	s.out.line("every byte and every property is back; nothing temporary is left in the cloud")
	if s.selftest {
		return s.plant(ctx, restored)
	}
	return nil
}

// plant makes a wrong byte and a wrong property of each kind, and expects that the
// comparison sees these and nothing else.
func (s *story) plant(ctx context.Context, restored *application.Application) error {
	var checks []check
	var planted []string
	err := s.out.step("Self-test: plant a wrong byte and wrong properties, compare again", func() (err error) {
		if err := s.cloud.PlantByte(ctx, restored, plantedAt); err != nil {
			return err
		}
		if planted, err = s.cloud.PlantProperties(ctx, restored); err != nil {
			return err
		}
		after, err := takePicture(ctx, s.cloud, restored, true)
		if err != nil {
			return err
		}
		checks = compare(s.app, s.original, after, s.simulated())
		return nil
	})
	if err != nil {
		return fmt.Errorf("planting: %w", err)
	}
	s.out.summary(checks)
	byteSeen := false
	blind := slices.Clone(planted)
	for _, c := range checks {
		for _, f := range c.faults {
			seen := slices.IndexFunc(planted, func(key string) bool { return strings.HasPrefix(f, key+": ") })
			switch {
			case c.what == application.DataVolume && strings.HasPrefix(f, "blocks of 4 KiB that differ: 1,"):
				byteSeen = true
			case seen >= 0:
				blind = slices.DeleteFunc(blind, func(key string) bool { return key == planted[seen] })
			default:
				return fmt.Errorf("the self-test sees a difference that nobody planted: %s: %s", c.what, f)
			}
		}
	}
	if !byteSeen || len(blind) > 0 {
		return fmt.Errorf("the comparison is blind: wrong byte seen: %t, wrong properties not seen: %q", byteSeen, blind)
	}
	s.out.line(fmt.Sprintf("the demo sees a wrong byte and %d wrong properties, and fails on them", len(planted)))
	return nil
}

// finish takes the application off a real cloud, and stops karbord.
func (s *story) finish(ctx context.Context) error {
	var errs []error
	if !s.simulated() && !s.keep && s.cloud != nil && s.app != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
		defer cancel()
		errs = append(errs, s.out.step("Clean up", func() error { return s.cleanUp(ctx) }))
	}
	if s.process != nil && s.process.API != "" {
		errs = append(errs, s.process.Stop())
	}
	return errors.Join(errs...)
}

// cleanUp deletes the checkpoints, the plan and the application, and makes sure
// that nothing of them is left in the cloud.
func (s *story) cleanUp(ctx context.Context) error {
	var errs []error
	for _, id := range []string{s.checkpointID, s.firstID} {
		if id != "" {
			_, err := s.karbor.Run(ctx, false, "checkpoint", "delete", s.providerID, id, "--wait")
			errs = append(errs, err)
		}
	}
	if s.planID != "" {
		_, err := s.karbor.Run(ctx, false, "plan", "delete", s.planID)
		errs = append(errs, err)
	}
	if restored, err := s.cloud.Restored(ctx, s.app); err == nil {
		s.app.ServerImage = restored.ServerImage
	}
	errs = append(errs, s.cloud.Destroy(ctx, s.app), s.cloud.DestroyGroup(ctx, s.app))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.nothingLeft(ctx, &application.Application{})
}
