package survey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
)

// VerifyOptions say what Verify looks at, and how.
type VerifyOptions struct {
	// Bank and Checkpoints are what is looked at. Both are required.
	Bank        bank.Bank
	Checkpoints *checkpoint.Checkpoints
	// Keys opens domains. With nil, they are looked at as they are stored.
	Keys *repository.Domains
	// Project and ID choose one checkpoint; "" is all. Domains choose key domains; none
	// is all.
	Project, ID string
	Domains     []string
	Depth       verification.Depth
	// State gives what is known of a domain from earlier runs; nil is nothing.
	State func(domain string) *verification.State
	// Since, Until and BytesPerSecond are those of verification.Options.
	Since, Until   time.Time
	BytesPerSecond int64
	// Repair has damaged packs taken from Copies, other banks with the same domain, and
	// those that no copy has stored again by the next protect.
	Repair bool
	Copies []bank.Bank
	// Progress, if not nil, hears how far it is with a domain or a stream.
	Progress func(what string, done, total int64)
	// Now is the local clock. Required.
	Now func() time.Time
}

// Verified is what a verification found.
type Verified struct {
	// Domains are the key domains, by name.
	Domains []DomainVerified
	// Streams is how many streams of chunks were looked at, Broken are those that are
	// damaged, Left is how many were not come to.
	Streams, Left int
	Broken        []BrokenStream
	// Lost is what the checkpoints that were looked at do not have any more.
	Lost []LostObject
	// Lists says of how many of them that is known.
	Lists Lists
}

// DomainVerified is what was found in one domain.
type DomainVerified struct {
	Name string
	// Keyless says that nobody had the key: the packs were looked at, and not what they
	// hold.
	Keyless bool
	Result  *verification.Result
	// Mended is what a repair did.
	Mended []verification.Mended
}

// BrokenStream is a stream of chunks that is damaged.
type BrokenStream struct {
	Checkpoint string
	Stream
	Why string
}

// Good reports whether nothing is damaged.
func (v *Verified) Good() bool {
	return len(v.Broken) == 0 && len(v.Lost) == 0 && !slices.ContainsFunc(v.Domains, func(d DomainVerified) bool { return !d.Result.Good() })
}

// Verify looks whether bulk data is still what was written, as deep as it is asked to: that
// of a checkpoint, of some domains, or of a whole bank. Writers may be at work meanwhile. The
// error is the bank's, or a key's; damage is in the result.
func Verify(ctx context.Context, o VerifyOptions) (*Verified, error) {
	v := &verifier{VerifyOptions: o, found: &Verified{}}
	if o.ID != "" {
		return v.found, v.checkpoint(ctx)
	}
	if err := v.domains(ctx); err != nil {
		return v.found, err
	}
	if len(o.Domains) > 0 {
		return v.found, nil
	}
	err := o.Checkpoints.Overviews(ctx, o.Project, func(c checkpoint.Overview) error {
		if c.Status != karbor.CheckpointAvailable {
			return nil
		}
		streams, err := Streams(ctx, o.Checkpoints, c.ProjectID, c.ID)
		if err != nil {
			return err
		}
		if err := v.chunks(ctx, c.ProjectID, c.ID, streams); err != nil {
			return err
		}
		return v.contents(ctx, c)
	}, nil)
	return v.found, err
}

// verifier is one run.
type verifier struct {
	VerifyOptions
	found *Verified
}

// options are those for one domain.
func (v *verifier) options(domain string) verification.Options {
	o := verification.Options{Depth: v.Depth, Since: v.Since, Until: v.Until, BytesPerSecond: v.BytesPerSecond, Now: v.Now}
	if v.State != nil {
		o.State = v.State(domain)
	}
	if v.Progress != nil {
		o.Progress = func(p verification.Progress) { v.Progress("domain "+domain, p.Done, p.Total) }
	}
	return o
}

// open gives a domain for reading, or nil if nobody has its key.
func (v *verifier) open(ctx context.Context, name string) (*repository.Use, error) {
	if v.Keys == nil {
		return nil, nil
	}
	return v.Keys.Use(ctx, name)
}

func (v *verifier) domains(ctx context.Context) error {
	names := v.Domains
	if len(names) == 0 {
		var err error
		if names, err = DomainNames(ctx, v.Bank); err != nil {
			return fmt.Errorf("listing the key domains: %w", err)
		}
	}
	for _, name := range names {
		if err := v.domain(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) domain(ctx context.Context, name string) error {
	use, err := v.open(ctx, name)
	if err != nil {
		return err
	}
	one := DomainVerified{Name: name, Keyless: use == nil}
	switch {
	case use == nil && v.Depth != verification.Stored:
		return karbor.Errorf(karbor.Unavailable, "without the key of the domain %s it can only be verified as it is stored", name)
	case use == nil:
		one.Result, err = verification.Keyless(ctx, v.Bank, name, v.options(name))
	default:
		defer use.Done()
		one.Result, one.Mended, err = v.whole(ctx, use.Domain(), name)
	}
	if one.Result != nil {
		v.found.Domains = append(v.found.Domains, one)
	}
	return err
}

// whole verifies a domain whose key is there, and repairs it if it is asked to.
func (v *verifier) whole(ctx context.Context, d *dedup.Domain, name string) (*verification.Result, []verification.Mended, error) {
	if !v.Repair {
		r, err := verification.Domain(ctx, d, v.Project, v.options(name))
		return r, nil, err
	}
	var copies []verification.Copy
	for _, b := range v.Copies {
		copies = append(copies, verification.Copy{Bank: b, Domain: name})
	}
	return verification.Heal(ctx, d, v.Project, v.options(name), copies...)
}

// checkpoint verifies the streams of one checkpoint.
func (v *verifier) checkpoint(ctx context.Context) error {
	streams, err := Streams(ctx, v.Checkpoints, v.Project, v.ID)
	if err != nil {
		return err
	}
	if err := v.chunks(ctx, v.Project, v.ID, streams); err != nil {
		return err
	}
	now, err := v.Checkpoints.Overview(ctx, v.Project, v.ID)
	if err == nil && now.Status == karbor.CheckpointAvailable {
		err = v.contents(ctx, now)
	}
	if err != nil {
		return err
	}
	nodes, err := v.Checkpoints.Nodes(v.Project, v.ID)
	if err != nil {
		return err
	}
	byDomain := map[string][]verification.Stream{}
	var names []string
	for _, s := range streams {
		if s.Format != format.Version || s.Damage != "" {
			continue
		}
		one, _ := verification.ParseStream(nodes.Key(string(s.Node) + "/data/" + s.Name + "/manifest"))
		if byDomain[s.Domain] == nil {
			names = append(names, s.Domain)
		}
		byDomain[s.Domain] = append(byDomain[s.Domain], one)
	}
	for _, name := range names {
		if err := v.streams(ctx, name, byDomain[name]); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) streams(ctx context.Context, domain string, streams []verification.Stream) error {
	use, err := v.open(ctx, domain)
	if err != nil {
		return err
	}
	if use == nil {
		return karbor.Errorf(karbor.Unavailable, "a checkpoint's streams can be verified only with the key of the domain %s", domain)
	}
	defer use.Done()
	result, err := verification.Streams(ctx, use.Domain(), streams, v.options(domain))
	if result != nil {
		v.found.Domains = append(v.found.Domains, DomainVerified{Name: domain, Result: result})
	}
	return err
}

// chunks verifies those of a checkpoint's streams that are chunks in the clear, and notes those
// whose manifest nobody can read.
func (v *verifier) chunks(ctx context.Context, project, id string, streams []Stream) error {
	for _, s := range streams {
		if s.Format == format.Version && s.Damage == "" {
			continue
		}
		if !v.Until.IsZero() && !v.Now().Before(v.Until) {
			v.found.Left++
			continue
		}
		v.found.Streams++
		why := s.Damage
		if why == "" {
			err := v.verifyChunks(ctx, project, id, s)
			if _, damaged := errors.AsType[*chunks.DamageError](err); err != nil && !damaged {
				return err
			} else if damaged {
				why = err.Error()
			}
		}
		if why != "" {
			v.found.Broken = append(v.found.Broken, BrokenStream{Checkpoint: project + "/" + id, Stream: s, Why: why})
		}
	}
	return nil
}

func (v *verifier) verifyChunks(ctx context.Context, project, id string, s Stream) error {
	data, err := v.Checkpoints.Data(project, id, s.Node)
	if err != nil {
		return err
	}
	streams, err := chunks.New(data, chunks.Options{})
	if err != nil {
		return err
	}
	if v.Depth == verification.Quick {
		return streams.Present(ctx, s.Name)
	}
	return streams.Verify(ctx, s.Name, func(done, total int64) {
		if v.Progress != nil {
			v.Progress(string(s.Node), done, total)
		}
	})
}
