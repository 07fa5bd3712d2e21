package openstack

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor/protection"
)

const (
	// answerTime is how long the answer to a create is waited for.
	answerTime = 90 * time.Second
	// graceTime is how long it is still waited for when its caller is to stop.
	graceTime = 20 * time.Second
	// recordTime is how long it may take to record what came of it.
	recordTime = 10 * time.Second
	// longestLook is the longest pause between two looks for what may still come.
	longestLook = 2 * time.Second
)

// Make gives the id of what find finds, or else of what create makes. find and create
// give "" for nothing. what names the thing among those of the call's node, such as
// "snapshot"; a tenant may read it.
//
// A create that is under way is not given up when ctx ends: the answer may still come
// for a while, so that the caller's Undo knows what there is. If none comes, or the
// process dies, the intent that lies in the scratch record says so: then Make looks
// for the thing until the cloud can't make it any more before it asks again, and
// protection.Undo has Undo look as long.
func Make(ctx context.Context, call *protection.Call, what string, find, create func(ctx context.Context) (string, error)) (string, error) {
	id, err := find(ctx)
	if err != nil || id != "" {
		return id, err
	}
	if call.Intents == nil {
		return demand(ctx, create)
	}
	if id, err = await(ctx, call.Intents, what, find); err != nil || id != "" {
		return id, err
	}
	if err := call.Intents.Begin(ctx, what); err != nil {
		return "", err
	}
	id, failure := demand(ctx, create)
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if failure == nil || refused(failure) {
		err = call.Intents.Answered(record, what)
	} else {
		// The settling time begins now: the cloud may have been at it until now.
		err = call.Intents.Begin(record, what)
	}
	if failure != nil && err != nil {
		return id, errors.Join(failure, err)
	}
	if failure != nil {
		return id, failure
	}
	return id, err
}

// MakeRestored is Make of what a restore is to leave. In a drill it goes again, and uses the tenant's
// quota until then: the ledger has it from before the cloud is asked for it. h says what it is, but
// for its id.
func MakeRestored(
	ctx context.Context, call *protection.Call, h protection.Holding, what string, find, create func(ctx context.Context) (string, error),
) (string, error) {
	if !call.Drill {
		return Make(ctx, call, what, find, create)
	}
	h.Drill, h.Asked = true, what
	if err := call.Hold(ctx, h); err != nil {
		return "", err
	}
	id, err := Make(ctx, call, what, find, create)
	if err != nil || id == "" {
		return id, err
	}
	h.ID = id
	return id, call.Hold(ctx, h)
}

// await looks for what an earlier create without an answer may still make.
func await(ctx context.Context, intents *protection.Intents, what string, find func(ctx context.Context) (string, error)) (string, error) {
	left, err := intents.Unsettled(ctx, what)
	if err != nil || left <= 0 {
		return "", err
	}
	id := ""
	err = Poll(ctx, what+", which may still be made", min(longestLook, left/8+time.Millisecond), func(ctx context.Context) (bool, error) {
		// First the clock: the last look comes after the end of the time.
		left, err := intents.Unsettled(ctx, what)
		if err != nil {
			return false, err
		}
		id, err = find(ctx)
		return id != "" || left <= 0, err
	})
	return id, err
}

// demand runs create with a time limit of its own.
func demand(ctx context.Context, create func(ctx context.Context) (string, error)) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(graceTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-own.Done():
		}
	})
	defer stop()
	return create(own)
}

// refused reports whether an error of a create, explained or not, says that the cloud
// did not make anything and will not.
func refused(err error) bool {
	var status int
	var code gophercloud.ErrUnexpectedResponseCode
	var known *fault
	switch {
	case errors.As(err, &code):
		status = code.Actual
	case errors.As(err, &known):
		status = known.status
	default:
		return neverSent(err)
	}
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}
