package share

import (
	"context"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// preflight is the Preflight hook of restore. What the new share will not have of the original is known when Manila
// has made it.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	for _, part := range []struct {
		remedy string
		look   func(context.Context) error
	}{
		{"Verify the checkpoint, and restore another one.", func(ctx context.Context) error { return sound(ctx, call, &doc) }},
		{"Restore without this share.", func(ctx context.Context) error { return foresee(ctx, client, call, doc, f) }},
	} {
		if err := f.Look(ctx, part.remedy, part.look); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// foresee tells what the new share will use of the project's quotas. Manila gives it the type that the original has
// now.
func foresee(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document, f *protection.Forecast) error {
	kind := doc.ShareTypeName
	switch from, err := original(ctx, client, call); {
	case err == nil:
		kind = from.ShareTypeName
	case !openstack.IsNotFound(err): // without it there is no snapshot, which is told
		return err
	}
	for need, amount := range needs(kind, protection.NeedShares, protection.NeedShareGigabytes, doc.Size) {
		f.Need(need, amount)
	}
	f.NeedSize(protection.NeedShareSize, int64(doc.Size))
	return nil
}

// preflightProtect is the Preflight hook of protect. Of a share that can't be protected nothing is counted.
func (r *room) preflightProtect(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	return f, f.Look(ctx, "Take the share out of the plan.", func(ctx context.Context) error {
		s, err := original(ctx, client, call)
		if err == nil {
			err = unfit(s)
		}
		if err != nil {
			return err
		}
		for need, amount := range needs(s.ShareTypeName, protection.NeedShareSnapshots, protection.NeedShareSnapshotGigabytes, s.Size) {
			f.Need(need, amount)
		}
		return nil
	})
}

// needs gives what one thing of a size in GiB uses of the quotas for such, and of those that its share type may have of
// its own.
func needs(kind string, count, gigabytes protection.Need, size int) map[protection.Need]int64 {
	out := map[protection.Need]int64{count: 1, gigabytes: int64(size)}
	if kind != "" {
		out[count.OfShareType(kind)], out[gigabytes.OfShareType(kind)] = 1, int64(size)
	}
	return out
}

// lacking adds to the refusal of something for want of a quota which one that is, and what is left of it: Manila says
// neither how much is left nor whose quota it is. who is what was refused.
func lacking(ctx context.Context, call *protection.Call, refusal error, who string, needs map[protection.Need]int64) error {
	if karbor.KindOf(refusal) != karbor.OverLimit {
		return refusal
	}
	found, err := openstack.Shortages(ctx, call.Cloud, who, needs)
	if err != nil || len(found) == 0 {
		return refusal // it says enough without
	}
	sentence := strings.TrimSuffix(karbor.Sentence(refusal), ".") + "; " + strings.Join(found, "; ") + "; remove what you no longer need, or have the quota raised"
	return &karbor.Error{Kind: karbor.OverLimit, Message: sentence, Transient: karbor.IsTransient(refusal), Cause: refusal}
}
