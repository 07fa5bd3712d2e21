package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/client/keystone"
)

// killWhile kills karbord with its simulated cloud twice in the middle of the
// running operation, and starts it again each time: once when the first bytes
// move, while temporary resources are being made elsewhere, and once when a
// volume is well under way.
func (s *story) killWhile(ctx context.Context, operation string) error {
	for _, moment := range []func(client.Progress) bool{
		func(p client.Progress) bool { return p.BytesDone > 0 && p.BytesDone < p.BytesTotal },
		func(p client.Progress) bool {
			return p.Type == karbor.VolumeType && p.BytesDone > p.BytesTotal/4 && p.BytesDone < p.BytesTotal*9/10
		},
	} {
		moved, err := s.await(ctx, moment)
		if err != nil {
			return fmt.Errorf("waiting for the middle of the %s: %w", operation, err)
		}
		if err := s.process.Kill(); err != nil {
			return err
		}
		s.out.note("SIGKILL in mid-%s: %s", operation, moved)
		if err := s.process.Again(ctx); err != nil {
			return fmt.Errorf("starting karbord again: %w", err)
		}
		s.out.note("karbord is up again; the %s goes on", operation)
	}
	return nil
}

// await looks at the running operation's progress, quickly, until a resource is
// at that moment.
func (s *story) await(ctx context.Context, moment func(client.Progress) bool) (string, error) {
	look, err := s.progress(ctx)
	if err != nil {
		return "", err
	}
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); {
		running, progress, err := look(ctx)
		if err != nil {
			return "", err
		}
		if !running {
			return "", errors.New("it was over before it could be killed")
		}
		for _, p := range progress {
			if moment(p) {
				return fmt.Sprintf("%s %s had %d of %d bytes", p.Type.Word(), p.Name, p.BytesDone, p.BytesTotal), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return "", errors.New("it did not come in 5 minutes")
}

// progress gives a function that looks at the running operation. It asks the
// API in this process: a command for each look would be too slow to hit the
// middle.
func (s *story) progress(ctx context.Context) (func(context.Context) (bool, []client.Progress, error), error) {
	transport := &http.Client{Timeout: time.Minute}
	session, err := keystone.Login(ctx, keystone.FromEnvironment(func(name string) string { return s.karbor.Env[name] }), transport)
	if err != nil {
		return nil, err
	}
	endpoint, err := session.Endpoint()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{Endpoint: endpoint, Tokens: session, HTTP: transport})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (bool, []client.Progress, error) {
		if s.restoreID != "" {
			r, err := c.Restores.Show(ctx, s.restoreID)
			return r.Status == karbor.RestoreInProgress, r.Progress, err
		}
		cp, err := c.Checkpoints.Show(ctx, s.providerID, s.checkpointID)
		return cp.Status == karbor.CheckpointProtecting, cp.Progress, err
	}, nil
}
