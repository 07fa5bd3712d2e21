package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

const idempotencyHeader = "Idempotency-Key"

// How long a request waits for an earlier one with the same key that another
// process answers, and how often it looks.
const (
	replayWait  = 10 * time.Second
	replayPause = 100 * time.Millisecond
)

// Replays remembers POSTs that carried an Idempotency-Key; store.Store is one. What
// it remembers outlives the process.
type Replays interface {
	// ClaimReplay keeps a request, or gives the one of its scope that is there.
	ClaimReplay(ctx context.Context, r store.Replay) (found store.Replay, mine bool, err error)
	AnswerReplay(ctx context.Context, scope string, answer []byte) error
	// DropReplay forgets a request without an answer; one that is marked as done only if marked says so.
	DropReplay(ctx context.Context, scope string, marked bool) error
}

var _ Replays = (*store.Store)(nil)

// replays sees to it that the same request again gives the first answer, and does
// nothing twice.
type replays struct {
	keeper Replays
	owner  string
	key    []byte
	log    *slog.Logger

	mu sync.Mutex
	// flying are the requests that this process is answering, by scope; each is
	// closed when it is over.
	flying map[string]chan struct{}
}

func newReplays(o Options) *replays {
	return &replays{keeper: o.Replays, owner: o.Owner, key: o.ReplayKey, log: o.Logger, flying: map[string]chan struct{}{}}
}

// replayScope gives what a request's key is unique in, or "" without a key.
func replayScope(r *http.Request, id *karbor.Identity) (string, error) {
	key := r.Header.Get(idempotencyHeader)
	if key == "" || r.Method != http.MethodPost {
		return "", nil
	}
	const limit = 255
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	if len(key) > limit || strings.ContainsFunc(key, odd) {
		return "", karbor.Errorf(karbor.Invalid, "Invalid %s: it must be 1 to %d printable ASCII characters.", idempotencyHeader, limit)
	}
	return digest([]byte(strings.Join([]string{id.ProjectID, id.UserID, r.URL.EscapedPath(), key}, "\n"))), nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// seal gives what is kept of a body, to know it again. A body may hold a password, so
// without the key nobody can try out which it was.
func (s *replays) seal(body []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("body of a request with an Idempotency-Key\n"))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// do runs handle, unless a request of the same scope and body has succeeded: then it
// gives that answer. While the first one runs, others wait. The same key with another
// body is karbor.Invalid. What handle keeps is kept together with the mark that it
// was, so that a request whose process died is not carried out twice: if the first
// one's answer was lost, that is karbor.Conflict.
func (s *replays) do(ctx context.Context, scope string, body []byte, handle func(context.Context) (any, error)) (any, error) {
	if s.keeper == nil {
		return nil, karbor.Errorf(karbor.NotImplemented, "The %s is not supported here.", idempotencyHeader)
	}
	leave, err := s.enter(ctx, scope)
	if err != nil {
		return nil, err
	}
	defer leave()
	want := store.Replay{Scope: scope, Body: s.seal(body), Owner: s.owner}
	for waited := time.Duration(0); ; waited += replayPause {
		found, mine, err := s.keeper.ClaimReplay(ctx, want)
		switch {
		case err != nil:
			return nil, err
		case mine:
			return s.lead(ctx, scope, handle)
		case found.Body != want.Body:
			return nil, karbor.Errorf(karbor.Invalid, "The %s was used before, with another body.", idempotencyHeader)
		case found.Answer != nil:
			return json.RawMessage(found.Answer), nil
		case found.Owner == s.owner && !found.Done:
			// The process that had it is dead: this one has the owner's name now.
			return s.lead(ctx, scope, handle)
		case found.Owner == s.owner:
			return nil, karbor.Errorf(karbor.Conflict, "The request with this %s was carried out, but its answer was lost: list what there is, and see.", idempotencyHeader)
		case waited >= replayWait:
			return nil, karbor.Errorf(karbor.Conflict, "Another request with this %s has not been answered yet.", idempotencyHeader)
		}
		if err := pause(ctx, replayPause); err != nil {
			return nil, err
		}
	}
}

// enter waits until no other request of a scope is under way in this process. leave
// ends the turn.
func (s *replays) enter(ctx context.Context, scope string) (leave func(), err error) {
	for {
		s.mu.Lock()
		first, busy := s.flying[scope]
		if !busy {
			mine := make(chan struct{})
			s.flying[scope] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.flying, scope)
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-first:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// noteTime is what a database that hangs may take of a request's end: nobody waits longer for a note of it.
const noteTime = 10 * time.Second

// lead runs the first request of a scope, and has its answer remembered if it
// succeeds, and the request forgotten if it fails. One that failed when it may have kept
// something already stays where it is marked: it must not be carried out again.
func (s *replays) lead(ctx context.Context, scope string, handle func(context.Context) (any, error)) (any, error) {
	var text json.RawMessage
	refused := false
	defer func() {
		if text != nil {
			return
		}
		if err := s.note(ctx, func(ctx context.Context) error { return s.keeper.DropReplay(ctx, scope, refused) }); err != nil {
			s.log.ErrorContext(ctx, "a failed request can't be forgotten: its Idempotency-Key stays taken", slog.Any("error", err))
		}
	}()
	answer, err := handle(store.WithReplay(ctx, scope))
	if err != nil {
		kind := karbor.KindOf(err)
		refused = kind != karbor.Internal && kind != karbor.Unavailable
		return nil, err
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	text = encoded
	if err := s.note(ctx, func(ctx context.Context) error { return s.keeper.AnswerReplay(ctx, scope, encoded) }); err != nil {
		s.log.ErrorContext(ctx, "an answer can't be remembered for its Idempotency-Key", slog.Any("error", err))
	}
	return text, nil
}

// note writes down what became of a request, whose sender may have gone meanwhile.
func (s *replays) note(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	return write(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
