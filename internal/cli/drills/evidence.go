package drills

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
	"github.com/karbor/karbor/internal/evidence"
)

// maxEvidence bounds the size of a record's file, in bytes.
const maxEvidence = 64 << 20

func evidenceOf(s *session.Session) *cobra.Command {
	var file, page string
	cmd := s.Command("evidence DRILL", "Get the signed record of a drill, or a page of it", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := lookup.MustBeID("drill", args[0]); err != nil {
				return err
			}
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			raw, err := c.Drills.Evidence(ctx, args[0])
			if err != nil {
				return err
			}
			record, err := evidence.File(raw)
			if err != nil {
				return fmt.Errorf("the record of drill %s: %w", args[0], err)
			}
			keys, err := publishedKeys(ctx, c)
			if err != nil {
				return err
			}
			signed, err := evidence.Verify(record, keys...)
			if err != nil {
				return fmt.Errorf("the record of drill %s: %w", args[0], err)
			}
			if page != "" {
				text, err := evidence.Page(signed)
				if err == nil {
					err = s.Write(page, text)
				}
				if err != nil || file == "" {
					return err
				}
			}
			return s.Write(file, record)
		})
	cmd.Long = "Writes the record as JSON, which karbor drill verify checks, or with --html as a page for people, which prints."
	cmd.Flags().StringVar(&file, "output", "", "write the record into this file; standard output without it")
	cmd.Flags().StringVar(&page, "html", "", "write a page into this file; - is standard output")
	return cmd
}

// publishedKeys gives the keys that the service publishes.
func publishedKeys(ctx context.Context, c *client.Client) ([]evidence.PublicKey, error) {
	published, err := c.Drills.Keys(ctx)
	if err != nil {
		return nil, err
	}
	var keys []evidence.PublicKey
	for _, k := range published {
		parsed, err := evidence.ParsePublicKeys([]byte(k.PublicKey))
		if err != nil {
			return nil, fmt.Errorf("the service's key %s: %w", k.ID, err)
		}
		keys = append(keys, parsed...)
	}
	return keys, nil
}

func keys(s *session.Session) *cobra.Command {
	cmd := s.Command("keys", "Print the public keys that records are checked with (PEM)", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		published, err := c.Drills.Keys(ctx)
		if err != nil {
			return err
		}
		for _, k := range published {
			if _, err := io.WriteString(s.Stdout, k.PublicKey); err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Long = "Keep them where who checks records can trust them: then no service is needed to check one."
	return cmd
}

func verify(s *session.Session) *cobra.Command {
	var key, page string
	cmd := s.Command("verify FILE", "Check that a record is what was signed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		file, err := readLimited(args[0])
		if err != nil {
			return err
		}
		var keys []evidence.PublicKey
		if key != "" {
			text, err := readLimited(key)
			if err != nil {
				return err
			}
			if keys, err = evidence.ParsePublicKeys(text); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		} else {
			c, err := s.Connect(ctx)
			if err != nil {
				return err
			}
			if keys, err = publishedKeys(ctx, c); err != nil {
				return err
			}
		}
		signed, err := evidence.Verify(file, keys...)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if page != "" {
			text, err := evidence.Page(signed)
			if err != nil {
				return err
			}
			if err := s.Write(page, text); err != nil {
				return err
			}
		}
		r := signed.Record
		return s.Printer().Show(struct {
			DrillID      string              `json:"drill_id"`
			CheckpointID string              `json:"checkpoint_id"`
			Verdict      karbor.DrillVerdict `json:"verdict"`
			Recovery     string              `json:"recovery"`
			EndedAt      string              `json:"ended_at"`
			KeyID        string              `json:"key_id"`
			Signature    string              `json:"signature"`
		}{r.DrillID, r.Checkpoint.ID, r.Verdict, evidence.Span(r.RecoveryMS), r.EndedAt.Format("2006-01-02T15:04:05Z"), signed.Signature.KeyID, "good"})
	})
	cmd.Long = "Refuses a record of which any byte was changed. With --key it needs no service; without, it asks the service for its keys.\n" +
		"What the record says is not judged here: see its verdict."
	cmd.Flags().StringVar(&key, "key", "", "a file with the public keys (PEM), as karbor drill keys prints them")
	cmd.Flags().StringVar(&page, "html", "", "also write a page of the record into this file; - is standard output")
	return cmd
}

// readLimited reads a file that may be anybody's.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxEvidence+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(text) > maxEvidence {
		return nil, fmt.Errorf("%s is more than %d bytes", path, maxEvidence)
	}
	return text, nil
}
