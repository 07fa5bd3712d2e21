package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Operation is an operation, how far it is, and what it waits for. Microversion 1.4.
type Operation struct {
	ID            string               `json:"id"`
	ProjectID     string               `json:"project_id"`
	OperationType karbor.OperationType `json:"operation_type"`
	ProviderID    string               `json:"provider_id"`
	CheckpointID  string               `json:"checkpoint_id"`
	RestoreID     string               `json:"restore_id"`
	PlanID        string               `json:"plan_id"`
	// State is waiting, running, stopping or over.
	State string `json:"state"`
	// Status and ErrorInfo are those of its log.
	Status    karbor.LogStatus `json:"status"`
	ErrorInfo string           `json:"error_info"`
	// Cancelled is who cancelled it, and why; empty if nobody has.
	Cancelled string    `json:"cancelled"`
	StartedAt Timestamp `json:"started_at"`
	EndedAt   Timestamp `json:"ended_at"`
	// BytesDone and BytesTotal are of all resources together, BytesPerSecond is 0 where
	// nothing moves, and SecondsLeft where there is no estimate.
	BytesDone      int64      `json:"bytes_done"`
	BytesTotal     int64      `json:"bytes_total"`
	BytesPerSecond int64      `json:"bytes_per_second"`
	SecondsLeft    int64      `json:"seconds_left"`
	Progress       []Progress `json:"progress,omitempty"`
}

// Over reports whether nothing further comes.
func (o Operation) Over() bool { return o.State == "over" }

// Operations are the operations of the API, from microversion 1.4 on. An id is that of
// the operation, which its log and its verification have too, or of its restore, or of
// the checkpoint that it makes or deletes.
type Operations struct{ c *Client }

// Show gets one operation.
func (p *Operations) Show(ctx context.Context, id string) (Operation, error) {
	return show[Operation](ctx, p.c, call{path: "/operations/" + escape(id), what: "getting the operation " + id}, "operation")
}

// Cancel asks an operation to stop. What it gives is the operation as it stops; its end
// is error, or fail for a restore. A repeat changes nothing; one that is over is a
// Conflict error. reason may be empty.
func (p *Operations) Cancel(ctx context.Context, id, reason string) (Operation, error) {
	body := map[string]any{"cancel": map[string]any{}}
	if reason != "" {
		body["cancel"] = map[string]any{"reason": reason}
	}
	return one[Operation](ctx, p.c, call{method: http.MethodPost, path: "/operations/" + escape(id) + "/action",
		body: body, what: "cancelling " + id}, "operation")
}

// silence is how long a stream may say nothing: the service shows at least each 15 s that
// it lives.
const silence = time.Minute

// Events iterates over what becomes of an operation: the operation whenever it has
// changed, and at last as it is over. It ends early with an error when the connection
// breaks, the token expires or the service stops; a service that has no events is a
// NotFound error, and one that gives no more streams a TooMany error: then look at it
// from time to time.
func (p *Operations) Events(ctx context.Context, id string) iter.Seq2[Operation, error] {
	return func(yield func(Operation, error) bool) {
		if err := p.events(ctx, id, yield); err != nil {
			yield(Operation{}, fmt.Errorf("following the operation %s: %w", id, err))
		}
	}
}

func (p *Operations) events(ctx context.Context, id string, yield func(Operation, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	body, err := p.c.follow(ctx, "/operations/"+escape(id)+"/events")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // what matters was read
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxAnswer)
	name := ""
	for lines.Scan() {
		watchdog.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			more, err := p.event(name, value, yield)
			if err != nil || !more {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return unreachable(p.c.endpoint.Host, err)
	}
	return unreachable(p.c.endpoint.Host, io.ErrUnexpectedEOF)
}

// event hands one event on. It reports whether there may be more.
func (p *Operations) event(name, data string, yield func(Operation, error) bool) (bool, error) {
	var event struct {
		Operation Operation `json:"operation"`
		Reason    string    `json:"reason"`
	}
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		return false, fmt.Errorf("an event can't be read: %w", err)
	}
	if name == "close" {
		return false, karbor.Transientf("the service ended the stream: %s", event.Reason)
	}
	return yield(event.Operation, nil) && name != "end", nil
}

// follow sends a GET whose answer goes on, and gives its body.
func (c *Client) follow(ctx context.Context, path string) (io.ReadCloser, error) {
	token, err := c.options.Tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.String()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("X-Auth-Token", token.Reveal())
	req.Header.Set(microversionHeader, serviceType+" "+c.microversion())
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("User-Agent", c.options.UserAgent)
	res, err := c.options.HTTP.Do(req)
	if err != nil {
		return nil, unreachable(c.endpoint.Host, err)
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }() // what matters was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(c.endpoint.Host, err)
	}
	return nil, refusal(res, answer)
}
