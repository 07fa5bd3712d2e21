package dnszone

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

const (
	// documentKey is the key of the document about the zone.
	documentKey = "metadata"
	// dataName is the name of the stream with the record sets: a JSON array.
	dataName = "recordsets"
)

// document is what is kept of a zone beside its record sets. It lies in the bank: members are only ever
// added.
type document struct {
	Name        string            `json:"name"`
	Email       string            `json:"email"`
	Description string            `json:"description"`
	TTL         int               `json:"ttl"` // seconds
	Attributes  map[string]string `json:"attributes,omitempty"`
	// Size is how many bytes the stream has.
	Size int64 `json:"size"`
}

// recordSet is what is kept of a record set. It lies in the bank, too.
type recordSet struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	TTL         int      `json:"ttl,omitempty"` // seconds; 0 for the zone's
	Records     []string `json:"records"`
	Description string   `json:"description,omitempty"`
}

// protectRecord is the scratch record of a protect.
type protectRecord struct {
	// Source describes the zone as it was at the first look.
	Source *document `json:"source,omitempty"`
}

// protect is the Main hook of protect.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	client, err := openstack.DNS(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil { // else an earlier run of this hook has described it: a document must not change
		if record.Source, err = inspect(ctx, client, call); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	doc := *record.Source
	if doc.Size, err = keep(ctx, client, call); err != nil {
		return err
	}
	// The document comes last: where it is, all is.
	return call.Documents.CreateJSON(ctx, documentKey, doc)
}

// inspect describes the call's zone, if it can be protected.
func inspect(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (*document, error) {
	z, err := ownZone(ctx, client, call.Cloud, call.Node.ID)
	if err != nil {
		return nil, err
	}
	if err := unfit(z); err != nil {
		return nil, err
	}
	return &document{
		Name: z.Name, Email: z.Email, TTL: z.TTL, Attributes: z.Attributes,
		Description: protection.Described(z.Description), // not that of another restore which is at it
	}, nil
}

// keep writes the zone's record sets into the bank, and gives how many bytes they have there.
func keep(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (int64, error) {
	kept, err := call.Data.Stat(ctx, dataName)
	if err == nil || karbor.KindOf(err) != karbor.NotFound {
		return kept.Size, err // an earlier run has committed it
	}
	all, err := recordSetsOf(ctx, client, call.Node.ID)
	if err != nil {
		return 0, err
	}
	sets := make([]recordSet, 0, len(all))
	for _, s := range all {
		if s.Type != "SOA" { // it is the cloud's own, and is new with each change
			sets = append(sets, recordSet{Name: s.Name, Type: s.Type, TTL: s.TTL, Records: s.Records, Description: s.Description})
		}
	}
	slices.SortFunc(sets, func(a, b recordSet) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type)) })
	// A list that changes while it is read may have one twice.
	sets = slices.CompactFunc(sets, func(a, b recordSet) bool { return a.Name == b.Name && a.Type == b.Type })
	w, err := call.Data.Create(ctx, dataName)
	if err != nil {
		return 0, err
	}
	if err := json.NewEncoder(w).Encode(sets); err != nil {
		return 0, errors.Join(err, w.Abort(ctx))
	}
	if kept, err = w.Commit(ctx); err != nil {
		return 0, errors.Join(err, w.Abort(ctx))
	}
	call.Progress(kept.Size, kept.Size)
	return kept.Size, nil
}

// readKept reads the document and the record sets of a zone out of the bank.
func readKept(ctx context.Context, call *protection.Call) (doc document, sets []recordSet, err error) {
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return doc, nil, err
	}
	if err := sound(ctx, call, &doc); err != nil {
		return doc, nil, err
	}
	stream, err := call.Data.Open(ctx, dataName)
	if err != nil {
		return doc, nil, err
	}
	defer stream.Close()
	if err := json.NewDecoder(stream).Decode(&sets); err != nil {
		return doc, nil, karbor.Errorf(karbor.Internal, "reading the record sets of DNS zone %s that are kept: %w", doc.Name, err)
	}
	return doc, sets, nil
}

// sound compares the document of a zone with the stream that is kept of it, which is never empty.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	kept, err := call.Data.Stat(ctx, dataName)
	if err != nil {
		return err
	}
	if d.Size != kept.Size {
		return karbor.Errorf(karbor.Internal, "%d bytes of record sets are kept of it, and its document says %d", kept.Size, d.Size)
	}
	return nil
}
