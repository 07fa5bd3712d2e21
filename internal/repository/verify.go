package repository

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
)

// Verifying gives the same streams, whose Verify looks as o says. What o says of progress and
// time does not count.
func (s *Streams) Verifying(o verification.Options) *Streams {
	out := *s
	out.look = o
	return &out
}

// Verify implements protection.Repository. It reads every byte, unless Verifying said
// otherwise. Damaged packs are marked, so that the next protect does not trust them.
// progress may be nil; it counts bytes of the stream.
func (s *Streams) Verify(ctx context.Context, name string, progress func(done, total int64)) error {
	m, err := s.manifest(ctx, name)
	if err != nil {
		return err
	}
	if m == nil {
		if s.look.Depth == verification.Quick {
			return s.clear.Present(ctx, name)
		}
		return s.clear.Verify(ctx, name, progress)
	}
	key, err := s.manifestKey(name)
	if err != nil {
		return err
	}
	d := s.options.Domains
	u, err := d.Use(ctx, m.Domain)
	if err != nil {
		return fmt.Errorf("verifying the data %s: %w", name, err)
	}
	defer u.Done()
	stream, _ := verification.ParseStream(key)
	o, meter := s.look, meter{size: m.Size, report: progress}
	o.Progress, o.Now = meter.set, d.options.Now
	found, err := verification.Streams(ctx, u.Domain(), []verification.Stream{stream}, o)
	if err != nil {
		return fmt.Errorf("verifying the data %s: %w", name, err)
	}
	if found.Good() {
		meter.end()
		return nil
	}
	return d.damaged(ctx, m.Domain, name, found)
}

// damaged marks what is damaged, and gives the error that says so.
func (d *Domains) damaged(ctx context.Context, domain, name string, found *verification.Result) error {
	for i := range found.Damaged {
		x := &found.Damaged[i]
		d.logger.ErrorContext(ctx, "an object of a repository is damaged", "domain", domain, "key", x.Key, "missing", x.Missing,
			"chunks", x.ChunkCount, "reason", x.Why)
	}
	if err := verification.Mark(ctx, d.options.Bank, domain, found.Damaged, d.options.Now()); err != nil {
		d.logger.WarnContext(ctx, "damaged packs are not marked", "domain", domain, "error", err)
	}
	what := "an object of its key domain is"
	if len(found.Hurt) > 0 {
		what = found.Hurt[0].Sentence()
	}
	e := karbor.Errorf(karbor.Internal, "the data %s in the bank is damaged: %s", name, what)
	e.Cause = &format.DamageError{What: "stream", Why: what}
	return e
}

// meter tells a verification's progress in bytes of its stream.
type meter struct {
	size, last int64
	report     func(done, total int64)
}

// set takes in how much of the packs was looked at.
func (m *meter) set(p verification.Progress) {
	if p.Total > 0 {
		m.tell(int64(float64(m.size) * (float64(p.Done) / float64(p.Total))))
	}
}

func (m *meter) end() { m.tell(m.size) }

func (m *meter) tell(done int64) {
	if done = min(done, m.size); done > m.last && m.report != nil {
		m.last = done
		m.report(done, m.size)
	}
}

// Names gives the names of the streams that are complete, in their order.
func (s *Streams) Names(ctx context.Context) ([]string, error) {
	var names []string
	for marker := ""; ; {
		page, err := s.options.Section.List(ctx, "", marker, bank.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing the data: %w", err)
		}
		for _, i := range page {
			marker = i.Key
			if name, ok := strings.CutSuffix(i.Key, "/"+manifestName); ok && !strings.Contains(name, "/") {
				names = append(names, name)
			}
		}
		if len(page) < bank.MaxList {
			return names, nil
		}
	}
}
