package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// Record is what a session tells: its newest record counts.
type Record struct {
	Format  string `json:"format"`
	Session string `json:"session"`
	// Sequence is the number in the record's key.
	Sequence int `json:"sequence"`
	// Epoch is the newest epoch that the session knows, or 0.
	Epoch int `json:"epoch"`
	// Keeps are the condemned packs that the session needs all the same.
	Keeps []string `json:"keeps"`
	// RenewedAt and ExpiresAt are by the bank's clock.
	RenewedAt time.Time `json:"renewed_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// MaxLife is how long after it was written a record may say that its session lives. One that
// can't be understood counts as a living one for so long.
const MaxLife = 24 * time.Hour

func prefix(domain string) string         { return "v1/repositories/" + domain + "/" }
func sessionsPrefix(domain string) string { return prefix(domain) + "sessions/" }
func epochsPrefix(domain string) string   { return prefix(domain) + "epochs/" }

func recordKey(domain, session string, sequence int) string {
	return sessionsPrefix(domain) + session + "/" + number(sequence)
}

// maxNumber is the highest number that a key can tell.
const maxNumber = 99_999_999

func number(n int) string { return fmt.Sprintf("%08d", n) }

// parseNumber reads what number gives; ok is false for any other text.
func parseNumber(text string) (n int, ok bool) {
	if len(text) != 8 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0
}

// parseRecordKey reads what recordKey gives.
func parseRecordKey(domain, key string) (session string, sequence int, ok bool) {
	rest, under := strings.CutPrefix(key, sessionsPrefix(domain))
	session, text, _ := strings.Cut(rest, "/")
	sequence, ok = parseNumber(text)
	return session, sequence, under && ok && karbor.IsUUID(session) && session == strings.ToLower(session)
}

// Listed is a session that a listing of the bank shows.
type Listed struct {
	ID string
	// Keys are those of its records, and Newest the one that counts.
	Keys   []string
	Newest bank.Info
}

// List gives the sessions of a domain by their ids.
func List(ctx context.Context, b bank.Bank, domain string) (map[string]Listed, error) {
	sessions := map[string]Listed{}
	err := eachKey(ctx, b, sessionsPrefix(domain), func(i bank.Info) error {
		if id, _, ok := parseRecordKey(domain, i.Key); ok {
			l := sessions[id]
			l.ID, l.Newest = id, i // keys come in order
			l.Keys = append(l.Keys, i.Key)
			sessions[id] = l
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the sessions of %s: %w", domain, err)
	}
	return sessions, nil
}

// Read reads the newest record of a session. One that is not there any more, as it was
// replaced by a newer one or its session has ended, is karbor.NotFound. One that can't
// be understood is given as a session that knows nothing, with MaxLife.
func (l *Listed) Read(ctx context.Context, b bank.Bank, domain string) (*Record, error) {
	var r Record
	err := ReadDocument(ctx, b, l.Newest.Key, &r)
	_, unreadable := errors.AsType[*format.DamageError](err)
	if err != nil && !unreadable {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	id, sequence, _ := parseRecordKey(domain, l.Newest.Key)
	if unreadable || r.Format != format.Version || r.Session != id || r.Sequence != sequence ||
		r.ExpiresAt.After(r.RenewedAt.Add(MaxLife)) {
		return &Record{Session: id, Sequence: sequence, RenewedAt: l.Newest.ModTime, ExpiresAt: l.Newest.ModTime.Add(MaxLife)}, nil
	}
	return &r, nil
}

// eachKey lists all objects under a prefix.
func eachKey(ctx context.Context, b bank.Bank, prefix string, fn func(bank.Info) error) error {
	marker := ""
	for {
		page, err := b.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return err
		}
		for _, i := range page {
			if err := fn(i); err != nil {
				return err
			}
		}
		if len(page) < bank.MaxList {
			return nil
		}
		marker = page[len(page)-1].Key
	}
}

// names reads a list of names of packs. One that is none means nothing.
func names(list []string) map[format.Name]struct{} {
	out := make(map[format.Name]struct{}, len(list))
	for _, text := range list {
		if name, ok := format.ParseName(text); ok {
			out[name] = struct{}{}
		}
	}
	return out
}

// texts gives names as documents have them, in order.
func texts(set map[format.Name]struct{}) []string {
	out := make([]string, 0, len(set))
	for name := range maps.Keys(set) {
		out = append(out, name.String())
	}
	slices.Sort(out)
	return out
}
