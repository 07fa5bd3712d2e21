package checkpoints

import (
	"context"
	_ "embed"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
)

// Keeper holds, expires and deletes checkpoints; protectionservice.Service is one.
type Keeper interface {
	HoldCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id, reason string, until time.Time) (karbor.Keeping, error)
	ReleaseCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string) (karbor.Keeping, error)
	ExpireCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id string, at time.Time) (karbor.Keeping, error)
	ForceDeleteCheckpoint(ctx context.Context, c protectionservice.Caller, providerID, id, reason string) error
}

var (
	//go:embed hold.json
	holdSchema []byte
	//go:embed expiry.json
	expirySchema []byte
	//go:embed forcedelete.json
	forceDeleteSchema []byte
)

// keepingRoutes gives what there is below a checkpoint's path.
func (d Deps) keepingRoutes(one, tag string) []api.Route {
	const since = api.ControlVersion
	return []api.Route{
		{
			Method: "PUT", Pattern: one + "/hold", Rule: "provider:checkpoint_hold", Since: since, Body: holdSchema, Handle: d.hold, Tag: tag,
			Summary: "Hold a checkpoint", Description: "Nothing deletes a held checkpoint, whoever asks, until `until` or, without it, until it is released. " +
				"It takes the place of an earlier hold. 409 while the checkpoint is being deleted. A bank with object lock locks what the checkpoint needs, soon after: see `bank_lock`.",
			Answer: keepingView{},
		},
		{
			Method: "DELETE", Pattern: one + "/hold", Rule: "provider:checkpoint_hold", Since: since, Handle: d.release, Tag: tag,
			Summary: "Release a held checkpoint", Description: "One that is not held stays as it is. What the bank has locked stays locked until `bank_lock` is over: nobody can shorten a lock.", Answer: keepingView{},
		},
		{
			Method: "PUT", Pattern: one + "/expiry", Rule: "provider:checkpoint_override_retention", Since: since, Body: expirySchema, Handle: d.expire, Tag: tag,
			Summary: "Set when a checkpoint expires", Description: "It is deleted by itself then, as soon as nothing speaks against it; the rules of its schedule leave it alone. " +
				"`null` takes the date away.",
			Answer: keepingView{},
		},
		{
			Method: "POST", Pattern: one + "/force_delete", Rule: "provider:checkpoint_force_delete", Since: since, Body: forceDeleteSchema, Handle: d.forceDelete, Tag: tag,
			Summary: "Delete a checkpoint by force", Description: "As a delete, of the newest verified checkpoint of a resource too. The reason goes into the operation log. " +
				"A held one, and one that is in use, is 409 all the same.",
			Answer: struct{}{},
		},
	}
}

// keepingView is how a checkpoint is kept, on the wire. What there is not is missing.
type keepingView struct {
	Hold         *holdView         `json:"hold,omitempty" doc:"From 1.4, on a checkpoint that is held."`
	ExpiresAt    *string           `json:"expires_at,omitempty" format:"date-time" doc:"From 1.4: when it is deleted by itself."`
	LastVerified *lastVerifiedView `json:"last_verified,omitempty" doc:"From 1.4: what its newest verification that came to its end has found."`
}

type holdView struct {
	Reason string  `json:"reason"`
	Until  *string `json:"until" format:"date-time" doc:"null for a hold that ends when it is released."`
	HeldAt *string `json:"held_at" format:"date-time"`
	UserID string  `json:"user_id" doc:"Who holds it."`
}

type lastVerifiedView struct {
	At     *string                   `json:"at" format:"date-time"`
	Depth  string                    `json:"depth" enum:"quick|stored|full" doc:"How deep was looked where that was least."`
	Result karbor.VerificationStatus `json:"result" enum:"success|error"`
}

func keepingOf(k karbor.Keeping, now time.Time) keepingView {
	v := keepingView{ExpiresAt: api.Time(k.ExpiresAt)}
	if h := k.Hold; h.On(now) {
		v.Hold = &holdView{Reason: h.Reason, Until: api.Time(h.Until), HeldAt: api.Time(h.At), UserID: h.UserID}
	}
	if l := k.LastVerified; l != nil {
		v.LastVerified = &lastVerifiedView{At: api.Time(l.At), Depth: l.Depth, Result: l.Result}
	}
	return v
}

// withKeepings adds to checkpoints of a provider how they are kept, where the caller speaks
// a version that has it.
func (d Deps) withKeepings(ctx context.Context, version api.Version, provider string, views []view) error {
	if version < api.ControlVersion {
		return nil
	}
	found, err := d.Store.Keepings(ctx, provider, idsOf(views))
	if err != nil {
		return err
	}
	now := d.Now()
	for i := range views {
		views[i].keepingView = keepingOf(found[views[i].ID], now)
	}
	return nil
}

// on gives what an action on a checkpoint needs.
func (d Deps) on(ctx context.Context, r *api.Request) (caller protectionservice.Caller, provider, id string, err error) {
	if provider, id, err = d.path(r); err != nil {
		return caller, "", "", err
	}
	caller, err = d.callerOn(ctx, r, provider, id)
	return caller, provider, id, err
}

func (d Deps) kept(k karbor.Keeping, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return keepingOf(k, d.Now()), nil
}

func (d Deps) hold(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Hold struct {
			Reason string    `json:"reason"`
			Until  time.Time `json:"until"`
		} `json:"hold"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	caller, provider, id, err := d.on(ctx, r)
	if err != nil {
		return nil, err
	}
	return d.kept(d.Service.HoldCheckpoint(ctx, caller, provider, id, body.Hold.Reason, body.Hold.Until))
}

func (d Deps) release(ctx context.Context, r *api.Request) (any, error) {
	caller, provider, id, err := d.on(ctx, r)
	if err != nil {
		return nil, err
	}
	return d.kept(d.Service.ReleaseCheckpoint(ctx, caller, provider, id))
}

func (d Deps) expire(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	caller, provider, id, err := d.on(ctx, r)
	if err != nil {
		return nil, err
	}
	return d.kept(d.Service.ExpireCheckpoint(ctx, caller, provider, id, body.ExpiresAt))
}

func (d Deps) forceDelete(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		ForceDelete struct {
			Reason string `json:"reason"`
		} `json:"force_delete"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	caller, provider, id, err := d.on(ctx, r)
	if err != nil {
		return nil, err
	}
	return struct{}{}, d.Service.ForceDeleteCheckpoint(ctx, caller, provider, id, body.ForceDelete.Reason)
}
