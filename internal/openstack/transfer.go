package openstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

type transferKey struct{}

// Transfer marks the requests of a context as transfers: they may take as long as
// bytes move, and end when none did for the idle time-out. Their answers may be of
// any size; those of other requests end with an error at 64 MiB.
func Transfer(ctx context.Context) context.Context {
	return context.WithValue(ctx, transferKey{}, true)
}

func isTransfer(ctx context.Context) bool { return ctx.Value(transferKey{}) != nil }

// timeoutError says that the cloud did not answer, or that a transfer stood still.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %v", e.after) }

// Timeout implements net.Error's method of this name.
func (e *timeoutError) Timeout() bool { return true }

// watch ends a request that takes too long.
type watch struct {
	parent context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

func newWatch(parent context.Context, limit time.Duration) *watch {
	ctx, cancel := context.WithCancelCause(parent)
	late := &timeoutError{limit}
	return &watch{
		parent: parent, ctx: ctx, cancel: cancel, limit: limit,
		timer: time.AfterFunc(limit, func() { cancel(late) }),
	}
}

// pause stops the clock while the other side has nothing to do.
func (w *watch) pause() { w.timer.Stop() }

// restart gives the other side the whole time again.
func (w *watch) restart() { w.timer.Reset(w.limit) }

// stop ends the watch and frees what it holds.
func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// explain gives the time-out in place of the cancellation that it caused.
func (w *watch) explain(err error) error {
	var late *timeoutError
	if w.parent.Err() == nil && errors.As(context.Cause(w.ctx), &late) {
		return late
	}
	return err
}

// sentBody is what we send. The clock runs while the cloud takes it, not while we
// read it from its source.
type sentBody struct {
	io.ReadCloser
	watch *watch
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.watch.pause()
	n, err := b.ReadCloser.Read(p)
	b.watch.restart()
	return n, err
}

// receivedBody is what we get. In a transfer the clock runs while we wait for
// bytes, not while we use them.
type receivedBody struct {
	io.ReadCloser
	watch    *watch
	transfer bool
	// left is how much more may come. What is no transfer is read into memory,
	// and the cloud may be one that we do not know.
	left int64
	list *listed // of which it is a page, or nil
}

// maxAnswer is the most that a call's answer may have, in bytes.
const maxAnswer = 64 << 20

var errTooLong = errors.New("the cloud's answer is too long")

func (b *receivedBody) Read(p []byte) (int, error) {
	if b.transfer {
		b.watch.restart()
		defer b.watch.pause()
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.explain(err)
	}
	if b.list != nil {
		b.list.left -= int64(n)
	}
	if b.left -= int64(n); b.left < 0 {
		return n, errTooLong
	}
	return n, err
}

func (b *receivedBody) Close() error {
	err := b.ReadCloser.Close()
	b.watch.stop()
	return err
}
