package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// drill restores the checkpoint for a while, keeps the record of that, and has it checked; then
// a forged one, which must be refused.
func (s *story) drill(ctx context.Context) error {
	var d struct {
		ID, Status, Verdict, Reason string
		RecoveryMS                  int64 `json:"recovery_ms"`
	}
	if err := s.karbor.JSON(ctx, true, &d, "drill", "create", s.providerID, s.checkpointID, "--wait", "--timeout", "30m"); err != nil {
		return err
	}
	if d.Verdict != "passed" || d.RecoveryMS <= 0 {
		return fmt.Errorf("the drill ended as %s, %s: %s", d.Status, d.Verdict, d.Reason)
	}
	record, keys := filepath.Join(s.dir, "drill.json"), filepath.Join(s.dir, "drills.pem")
	if _, err := s.karbor.Run(ctx, false, "drill", "evidence", d.ID, "--output", record, "--html", filepath.Join(s.dir, "drill.html")); err != nil {
		return err
	}
	published, err := s.karbor.Run(ctx, false, "drill", "keys")
	if err == nil {
		err = os.WriteFile(keys, published, 0o600)
	}
	if err != nil {
		return err
	}
	if _, err := s.karbor.Run(ctx, false, "drill", "verify", record, "--key", keys); err != nil {
		return fmt.Errorf("the record of the drill is refused: %w", err)
	}
	s.out.note("the drill %s passed; all was ready after %.1f s; its record is what was signed", d.ID, float64(d.RecoveryMS)/1000)
	text, err := os.ReadFile(record)
	if err != nil {
		return fmt.Errorf("reading the record: %w", err)
	}
	at := bytes.Index(text, []byte(`"recovery_ms":`)) + len(`"recovery_ms":`)
	text[at] ^= 1 // one digit of the recovery time
	forged := filepath.Join(s.dir, "forged.json")
	if err := os.WriteFile(forged, text, 0o600); err != nil {
		return fmt.Errorf("writing a forged record: %w", err)
	}
	if _, err := s.karbor.Run(ctx, false, "drill", "verify", forged, "--key", keys); err == nil {
		return errors.New("a forged record passes")
	}
	s.out.note("the same record with one bit turned over in its recovery time is refused")
	return nil
}
