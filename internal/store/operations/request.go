package operations

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// RequestKind is what is asked of an operation.
type RequestKind string

// The kinds of requests.
const (
	// CancelRequest asks an operation that runs to stop.
	CancelRequest RequestKind = "cancel"
	// FailRequest asks to end one that does not come to its end by itself.
	FailRequest RequestKind = "fail"
	// RetryRequest asks to do again what one has failed to do.
	RetryRequest RequestKind = "retry"
)

// Request is what is asked of an operation. It is durable: the service honours it
// whatever dies in between.
type Request struct {
	OperationID string
	Kind        RequestKind
	// Reason says who asks, and why; the tenant reads it.
	Reason    string
	CreatedAt time.Time
	// AnsweredAt is zero as long as the request is open, and Answer empty.
	AnsweredAt time.Time
	Answer     string
	// taken says who carries it out while it is open, and since when; "" if nobody does.
	taken string
}

const requestColumns = "operation_id, kind, reason, created_at, answered_at, answer"

// AskOperation keeps a request. Of an operation that is over nothing but a retry can be
// asked, and a retry of no other (karbor.Conflict). Where the same was asked before, the
// first request stays; one to retry or to fail that is answered is replaced: a fail is
// answered before the operation is over only if it was withdrawn.
func (s *Store) AskOperation(ctx context.Context, r Request) error {
	return s.db.Write(ctx, "asking the operation "+r.OperationID+" to "+string(r.Kind), func(t *rows.Tx) error {
		ended, err := rows.One(ctx, t, rows.Date, "SELECT ended_at FROM operations WHERE id = ?"+rows.ForUpdate, r.OperationID)
		if err != nil {
			return rows.Missing(err, "operation", r.OperationID)
		}
		switch over := !ended.IsZero(); {
		case over && r.Kind != RetryRequest:
			return karbor.Errorf(karbor.Conflict, "the operation %s is over", r.OperationID)
		case !over && r.Kind == RetryRequest:
			return karbor.Errorf(karbor.Conflict, "the operation %s is not over", r.OperationID)
		}
		if r.Kind == RetryRequest || r.Kind == FailRequest {
			err := t.Exec(ctx, "DELETE FROM operation_requests WHERE operation_id = ? AND kind = ? AND answered_at IS NOT NULL",
				r.OperationID, string(r.Kind))
			if err != nil {
				return err
			}
		}
		_, err = t.Insert(ctx, "INSERT INTO operation_requests ("+requestColumns+") VALUES (?, ?, ?, ?, NULL, '')",
			r.OperationID, string(r.Kind), r.Reason, rows.Micros(s.db.Now()))
		return err
	})
}

// OpenRequests lists the requests that are not answered, the oldest first.
func (s *Store) OpenRequests(ctx context.Context, limit int) ([]Request, error) {
	found, err := rows.All(ctx, s.db, scanRequest, "SELECT "+requestColumns+
		" FROM operation_requests WHERE answered_at IS NULL ORDER BY created_at, operation_id LIMIT ?", limit)
	return found, rows.Failed("listing what is asked of operations", err)
}

// OperationRequest gives what was asked of an operation; karbor.NotFound if nothing of
// the kind was.
func (s *Store) OperationRequest(ctx context.Context, operationID string, kind RequestKind) (Request, error) {
	r, err := rows.One(ctx, s.db, scanRequest, "SELECT "+requestColumns+
		" FROM operation_requests WHERE operation_id = ? AND kind = ?", operationID, string(kind))
	if err != nil {
		return Request{}, rows.Missing(err, "request of the operation", operationID)
	}
	return r, nil
}

// AnswerRequest closes a request. A repeat is harmless: the first answer stays.
func (s *Store) AnswerRequest(ctx context.Context, r Request, answer string) error {
	return s.db.Write(ctx, "answering what is asked of the operation "+r.OperationID, func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE operation_requests SET answered_at = ?, answer = ?
			WHERE operation_id = ? AND kind = ? AND answered_at IS NULL`, rows.Micros(s.db.Now()), answer, r.OperationID, string(r.Kind))
	})
}

// WithdrawRequest closes a request that is open, if it is the one with this reason: what
// somebody else has asked for stays.
func (s *Store) WithdrawRequest(ctx context.Context, r Request, answer string) error {
	return s.db.Write(ctx, "withdrawing what is asked of the operation "+r.OperationID, func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE operation_requests SET answered_at = ?, answer = ?
			WHERE operation_id = ? AND kind = ? AND reason = ? AND answered_at IS NULL`,
			rows.Micros(s.db.Now()), answer, r.OperationID, string(r.Kind), r.Reason)
	})
}

// requestTaken is how long a request that a process has taken is left to it: then it has
// died, or it would have answered.
const requestTaken = 2 * time.Minute

// TakeRequest has a request, as OpenRequests gave it, carried out by the caller alone: of
// several processes one gets true. It is its own until AnswerRequest or GiveBackRequest, or
// for two minutes.
func (s *Store) TakeRequest(ctx context.Context, r *Request) (bool, error) {
	now := s.db.Now()
	if text, _, ok := strings.Cut(r.taken, " "); ok {
		since, err := strconv.ParseInt(text, 10, 64)
		if err == nil && now.Sub(time.UnixMicro(since)) < requestTaken {
			return false, nil
		}
	}
	taken := strconv.FormatInt(now.UnixMicro(), 10) + " " + karbor.NewID()
	mine := false
	err := s.db.Write(ctx, "taking what is asked of the operation "+r.OperationID, func(t *rows.Tx) error {
		n, err := t.Changed(ctx, `UPDATE operation_requests SET answer = ?
			WHERE operation_id = ? AND kind = ? AND answered_at IS NULL AND answer = ?`, taken, r.OperationID, string(r.Kind), r.taken)
		mine = n == 1
		return err
	})
	if err == nil && mine {
		r.taken = taken
	}
	return mine, err
}

// GiveBackRequest leaves a request that was taken to whoever takes it next.
func (s *Store) GiveBackRequest(ctx context.Context, r Request) error {
	return s.db.Write(ctx, "giving back what is asked of the operation "+r.OperationID, func(t *rows.Tx) error {
		return t.Exec(ctx, `UPDATE operation_requests SET answer = ''
			WHERE operation_id = ? AND kind = ? AND answered_at IS NULL AND answer = ?`, r.OperationID, string(r.Kind), r.taken)
	})
}

// FindOperation gives the operation that an id stands for, in a project, or in any if
// projectID is "": the id is the operation's own (which is also that of its log, and of
// its verification), or a restore's, or a checkpoint's. Of several that write a
// checkpoint it is the one that runs, or else the newest.
func (s *Store) FindOperation(ctx context.Context, projectID, id string) (Operation, error) {
	return s.find(ctx, operationColumns, scanOperation, projectID, id)
}

// FindOperationHead finds as FindOperation does, and gives as OperationHead does.
func (s *Store) FindOperationHead(ctx context.Context, projectID, id string) (Operation, error) {
	return s.find(ctx, headColumns, scanHead, projectID, id)
}

func (s *Store) find(ctx context.Context, columns string, scan func(*sql.Rows) (Operation, error), projectID, id string) (Operation, error) {
	o, err := rows.One(ctx, s.db, scan, "SELECT "+columns+` FROM operations
		WHERE (id = ? OR restore_id = ? OR checkpoint_id = ? AND operation_type IN (?, ?)) AND (project_id = ? OR ? = '')
		ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END, CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, created_at DESC, id DESC LIMIT 1`,
		id, id, id, string(karbor.Protect), string(karbor.Delete), projectID, projectID, id)
	if err != nil {
		return Operation{}, rows.Missing(err, "operation", id)
	}
	return o, nil
}

func scanRequest(row *sql.Rows) (Request, error) {
	var r Request
	err := row.Scan(&r.OperationID, (*string)(&r.Kind), &r.Reason, rows.Time(&r.CreatedAt), rows.Time(&r.AnsweredAt), &r.Answer)
	if r.AnsweredAt.IsZero() {
		r.taken, r.Answer = r.Answer, ""
	}
	return r, err
}

// Entry is an operation in a list of an operator's.
type Entry struct {
	ID           string
	Type         karbor.OperationType
	ProjectID    string
	ProviderID   string
	CheckpointID string
	RestoreID    string
	CreatedAt    time.Time
	// EndedAt is zero while it runs.
	EndedAt time.Time
	// Waiting says that it has no place yet among those that are at work.
	Waiting bool
	// Status and ErrorInfo are those of its log.
	Status    karbor.LogStatus
	ErrorInfo string
}

// OperationEntries lists the operations of a project, or of all if projectID is "", the
// newest first: those that are not over, or with ended all of them.
func (s *Store) OperationEntries(ctx context.Context, projectID string, ended bool, limit int) ([]Entry, error) {
	var filter rows.Conditions
	filter.Add("1 = 1")
	filter.Equal("o.project_id", projectID)
	if !ended {
		filter.Add("o.ended_at IS NULL")
	}
	found, err := rows.All(ctx, s.db, scanOperationEntry, `SELECT o.id, o.operation_type, o.project_id, o.provider_id, o.checkpoint_id,
		o.restore_id, o.created_at, o.ended_at, o.dispatched, COALESCE(l.status, ''), COALESCE(l.error_info, '') FROM operations o
		LEFT JOIN operation_logs l ON l.id = o.log_id WHERE `+filter.String()+" ORDER BY o.created_at DESC, o.id DESC LIMIT ?",
		append(filter.Args, limit)...)
	return found, rows.Failed("listing the operations", err)
}

func scanOperationEntry(row *sql.Rows) (Entry, error) {
	var o Entry
	var dispatched int
	err := row.Scan(&o.ID, (*string)(&o.Type), &o.ProjectID, &o.ProviderID, &o.CheckpointID, &o.RestoreID,
		rows.Time(&o.CreatedAt), rows.Time(&o.EndedAt), &dispatched, (*string)(&o.Status), &o.ErrorInfo)
	o.Waiting = dispatched == waiting && o.EndedAt.IsZero()
	return o, err
}

// OverdueOperations lists the operations that were accepted before a time and are not
// over, the oldest first.
func (s *Store) OverdueOperations(ctx context.Context, before time.Time) ([]Entry, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (Entry, error) {
		var o Entry
		err := row.Scan(&o.ID, rows.Time(&o.CreatedAt))
		return o, err
	}, "SELECT id, created_at FROM operations WHERE ended_at IS NULL AND created_at < ? ORDER BY created_at, id", rows.Micros(before))
	return found, rows.Failed("listing the operations that take too long", err)
}
