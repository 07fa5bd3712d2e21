package main

import (
	"context"
	"errors"
	"fmt"
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
	if n := faults(checks); n > 0 {
		return fmt.Errorf("the restored application is not the original: %d differences", n)
	}
	s.out.line("every byte and every property is back; nothing temporary is left in the cloud")
	if s.selftest {
		return s.plant(ctx, restored)
	}
	return nil
}

// plant makes a wrong byte and a wrong property, and expects that the
// comparison sees these two and nothing else.
func (s *story) plant(ctx context.Context, restored *application.Application) error {
	var checks []check
	err := s.out.step("Self-test: plant a wrong byte and a wrong property, compare again", func() error {
		if err := s.cloud.PlantByte(ctx, restored, plantedAt); err != nil {
			return err
		}
		if err := s.cloud.PlantProperty(ctx, restored); err != nil {
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
	var byteSeen, propertySeen bool
	for _, c := range checks {
		for _, f := range c.faults {
			switch {
			case c.what == application.DataVolume && strings.HasPrefix(f, "blocks of 4 KiB that differ: 1,"):
				byteSeen = true
			case strings.HasPrefix(f, application.PlantedProperty(restored)+":"):
				propertySeen = true
			default:
				return fmt.Errorf("the self-test sees a difference that nobody planted: %s: %s", c.what, f)
			}
		}
	}
	if !byteSeen || !propertySeen {
		return fmt.Errorf("the comparison is blind: wrong byte seen: %t, wrong property seen: %t", byteSeen, propertySeen)
	}
	s.out.line("the demo sees a wrong byte and a wrong property, and fails on them")
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

// cleanUp deletes the checkpoint, the plan and the application, and makes sure
// that nothing of them is left in the cloud.
func (s *story) cleanUp(ctx context.Context) error {
	var errs []error
	if s.checkpointID != "" {
		_, err := s.karbor.Run(ctx, false, "checkpoint", "delete", s.providerID, s.checkpointID, "--wait")
		errs = append(errs, err)
	}
	if s.planID != "" {
		_, err := s.karbor.Run(ctx, false, "plan", "delete", s.planID)
		errs = append(errs, err)
	}
	if restored, err := s.cloud.Restored(ctx, s.app); err == nil {
		s.app.ServerImage = restored.ServerImage
	}
	errs = append(errs, s.cloud.Destroy(ctx, s.app))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.nothingLeft(ctx, &application.Application{})
}
