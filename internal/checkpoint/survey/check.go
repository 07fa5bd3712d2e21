package survey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/internal/repository/format"
)

// Finding is something that Check found.
type Finding struct {
	// Damage says that something is lost or wrong; else the finding is a note.
	Damage bool `json:"damage"`
	// Checkpoint is its project and id, with a slash between them, or "".
	Checkpoint string         `json:"checkpoint,omitempty"`
	Node       karbor.NodeKey `json:"node,omitempty"`
	// Place is a key of the bank, or its begin.
	Place string `json:"place"`
	Text  string `json:"text"`
}

// Result sums up a check.
type Result struct {
	Checkpoints int64 `json:"checkpoints"`
	Streams     int64 `json:"streams"`
	Domains     int64 `json:"domains"`
	Damages     int64 `json:"damages"`
	Notes       int64 `json:"notes"`
	// Proofs counts the drills of which there is evidence. Their signatures were not looked at.
	Proofs int64 `json:"evidence"`
	// Closed counts the checkpoints whose documents are sealed and could not be opened,
	// as the key is not here.
	Closed int64 `json:"closed"`
}

// CheckOptions are what Check may be told.
type CheckOptions struct {
	// Found hears of each finding, as it comes.
	Found func(Finding) error
	// Told, if not nil, hears how many checkpoints are done.
	Told func(checkpoints int64)
}

// checker is one check.
type checker struct {
	bank        bank.Bank
	checkpoints *checkpoint.Checkpoints
	options     CheckOptions
	result      Result
	domains     map[string]*Domain
	// known are the checkpoints that are there: project/id.
	known map[string]bool
}

// Check looks whether the parts of a bank fit together, without reading bulk data: each
// checkpoint has its documents and index entries; each stream of an available one its
// manifest, and a chunks/1 stream its chunks, a repository/1 stream its key domain;
// nothing that it had is lost; each domain can be opened; nothing lies there that belongs to nothing. An error is one
// of the bank, or of Found.
func Check(ctx context.Context, b bank.Bank, c *checkpoint.Checkpoints, o CheckOptions) (Result, error) {
	ch := &checker{bank: b, checkpoints: c, options: o, domains: map[string]*Domain{}, known: map[string]bool{}}
	for _, part := range []func(context.Context) error{ch.checkDomains, ch.checkCheckpoints, ch.checkStrays, ch.checkOwners} {
		if err := part(ctx); err != nil {
			return ch.result, err
		}
	}
	return ch.result, nil
}

func (c *checker) found(f Finding) error {
	if f.Damage {
		c.result.Damages++
	} else {
		c.result.Notes++
	}
	return c.options.Found(f)
}

func (c *checker) checkDomains(ctx context.Context) error {
	now, err := c.bank.Now(ctx)
	if err != nil {
		return fmt.Errorf("asking for the bank's time: %w", err)
	}
	all := &domains{}
	if err := each(ctx, c.bank, domainsRoot, func(i bank.Info) error {
		if !all.add(i) {
			return c.found(Finding{Place: i.Key, Text: "no object of a repository has such a key"})
		}
		return c.packSize(i)
	}); err != nil {
		return err
	}
	for _, d := range all.all {
		c.result.Domains++
		if err := d.read(ctx, c.bank, now); err != nil {
			return err
		}
		c.domains[d.Name] = d
		for _, text := range d.Damage {
			if err := c.found(Finding{Damage: true, Place: domainsRoot + d.Name, Text: text}); err != nil {
				return err
			}
		}
	}
	return nil
}

// packSize reports a pack or segment whose size none can have.
func (c *checker) packSize(i bank.Info) error {
	least := int64(0)
	switch parts := strings.Split(i.Key, "/"); {
	case len(parts) > 3 && (parts[3] == "packs" || parts[3] == "pages"):
		least = 2 * format.PackTrailer // header, directory and trailer
	case len(parts) > 3 && parts[3] == "index":
		least = format.BoxOverhead
	}
	if least > 0 && (i.Size < least || i.Size > format.MaxPack) {
		return c.found(Finding{Damage: true, Place: i.Key, Text: fmt.Sprintf("it has %d bytes, which none of its kind has", i.Size)})
	}
	return nil
}

func (c *checker) checkCheckpoints(ctx context.Context) error {
	return c.checkpoints.Overviews(ctx, "", func(o checkpoint.Overview) error {
		name := o.ProjectID + "/" + o.ID
		c.known[name] = o.Status != karbor.CheckpointDeleted
		c.result.Checkpoints++
		if c.options.Told != nil {
			c.options.Told(c.result.Checkpoints)
		}
		switch o.Status {
		case karbor.CheckpointAvailable:
			if err := c.checkIndices(ctx, o); err != nil {
				return err
			}
			if err := c.checkStreams(ctx, o); err != nil {
				return err
			}
			if err := c.checkContents(ctx, o); err != nil {
				return err
			}
			if err := c.checkProofs(ctx, o); err != nil {
				return err
			}
		case karbor.CheckpointError:
		default: // somebody is at work on it, or was
			return nil
		}
		return c.checkDocuments(ctx, o)
	}, func(project, id string) error {
		c.known[project+"/"+id] = true
		return c.found(Finding{Damage: true, Checkpoint: project + "/" + id, Place: "v1/states/" + project + "/" + id,
			Text: "it has no valid state, so nobody knows what it is"})
	})
}

func (c *checker) checkDocuments(ctx context.Context, o checkpoint.Overview) error {
	name, place := o.ProjectID+"/"+o.ID, "v1/checkpoints/"+o.ProjectID+"/"+o.ID
	_, err := c.checkpoints.Get(ctx, o.ProjectID, o.ID)
	_, closed := errors.AsType[*checkpoint.ClosedError](err)
	_, damaged := errors.AsType[*checkpoint.DamageError](err)
	switch {
	case closed:
		c.result.Closed++
		return nil
	case damaged:
		return c.found(Finding{Damage: true, Checkpoint: name, Place: place, Text: err.Error()})
	case karbor.KindOf(err) == karbor.NotFound:
		// Deleted meanwhile?
		if now, again := c.checkpoints.Overview(ctx, o.ProjectID, o.ID); again != nil || now.Status != o.Status {
			return nil
		}
		return c.found(Finding{Damage: true, Checkpoint: name, Place: place, Text: "a document of it is missing: " + err.Error()})
	}
	return err
}

func (c *checker) checkIndices(ctx context.Context, o checkpoint.Overview) error {
	for _, key := range o.IndexKeys() {
		_, err := c.bank.Stat(ctx, key)
		if karbor.KindOf(err) == karbor.NotFound {
			err = c.found(Finding{Damage: true, Checkpoint: o.ProjectID + "/" + o.ID, Place: key,
				Text: "its entry in an index is missing, so that lists may leave it out"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkStreams(ctx context.Context, o checkpoint.Overview) error {
	streams, err := Streams(ctx, c.checkpoints, o.ProjectID, o.ID)
	if err != nil {
		return err
	}
	for _, s := range streams {
		c.result.Streams++
		text := s.Damage
		switch {
		case text != "":
		case s.Format == ChunksFormat:
			text, err = c.checkChunks(ctx, o, s)
		default:
			text = c.domainOf(s)
		}
		if err == nil && text != "" {
			err = c.found(Finding{Damage: true, Checkpoint: o.ProjectID + "/" + o.ID, Node: s.Node,
				Place: "v1/checkpoints/" + o.ProjectID + "/" + o.ID + "/nodes/" + string(s.Node) + "/data/" + s.Name,
				Text:  "the stream " + s.Name + ": " + text})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkChunks gives what is wrong with a stream of chunks.
func (c *checker) checkChunks(ctx context.Context, o checkpoint.Overview, s Stream) (string, error) {
	data, err := c.checkpoints.Data(o.ProjectID, o.ID, s.Node)
	if err != nil {
		return "", err
	}
	streams, err := chunks.New(data, chunks.Options{})
	if err != nil {
		return "", err
	}
	err = streams.Present(ctx, s.Name)
	if err == nil || ctx.Err() != nil || karbor.IsTransient(err) {
		return "", err
	}
	return err.Error(), nil
}

// domainOf gives what is wrong with the domain of a stream.
func (c *checker) domainOf(s Stream) string {
	d := c.domains[s.Domain]
	switch {
	case d == nil:
		return fmt.Sprintf("its key domain %q is not in this bank", s.Domain)
	case d.Repository != s.Repository:
		return fmt.Sprintf("it is of the repository %q, and the domain %s is another", s.Repository, s.Domain)
	}
	return ""
}

// checkOwners tells of work that nobody does any more.
func (c *checker) checkOwners(ctx context.Context) error {
	owners, err := c.checkpoints.Owners(ctx)
	if err != nil {
		return err
	}
	for _, o := range owners {
		for _, claim := range o.Claims {
			if o.Alive {
				continue
			}
			err := c.found(Finding{Checkpoint: claim.ProjectID + "/" + claim.ID, Place: "v1/leases/" + o.Name,
				Text: o.Name + " has left it unfinished: a service of this bank finishes or fails it"})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
