package openstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

func answeredWith(code int, body string) error {
	return fmt.Errorf("wrapped: %w", gophercloud.ErrUnexpectedResponseCode{
		Method: "POST", URL: "http://nova/v2.1/servers?secret=hunter2", Actual: code, Body: []byte(body),
		ResponseHeader: http.Header{"X-Openstack-Request-Id": {"req-1"}},
	})
}

func TestExplainSaysKindAndWhetherItMayPass(t *testing.T) {
	for _, test := range []struct {
		name      string
		err       error
		kind      karbor.Kind
		transient bool
		text      string
	}{
		{"not found", answeredWith(404, `{"itemNotFound":{"code":404,"message":"Volume v could not be found."}}`), karbor.NotFound, false, "doing it: Volume v could not be found."},
		{"forbidden", answeredWith(403, `{"forbidden":{"message":"Policy doesn't allow it."}}`), karbor.Forbidden, false, "Policy"},
		{"Nova's quota", answeredWith(403, `{"forbidden":{"message":"Quota exceeded for cores: Requested 1, but already used 20 of 20 cores"}}`), karbor.OverLimit, false, "20 of 20"},
		{"Cinder's quota", answeredWith(413, `{"overLimit":{"message":"VolumeSizeExceedsAvailableQuota: ..."}}`), karbor.OverLimit, false, "Quota"},
		{"Neutron's quota", answeredWith(409, `{"NeutronError":{"type":"OverQuota","message":"Quota exceeded for resources: ['network'].","detail":""}}`), karbor.OverLimit, false, "network"},
		{"busy", answeredWith(409, `{"conflictingRequest":{"message":"Cannot 'delete' instance i while it is in task_state x"}}`), karbor.Conflict, true, "while"},
		{"Cinder's busy", answeredWith(400, `{"badRequest":{"message":"Invalid volume: Volume status must be available or error, but current status is: creating."}}`), karbor.Conflict, true, "creating"},
		{"lasting conflict", answeredWith(409, `{"NeutronError":{"message":"Network n already exists"}}`), karbor.Conflict, false, "already"},
		{"bad request", answeredWith(400, `{"badRequest":{"message":"Bad flavor"}}`), karbor.Invalid, false, "Bad flavor"},
		{"too many", answeredWith(429, ``), karbor.Unavailable, true, "429"},
		{"server fault", answeredWith(500, `<html>`), karbor.Unavailable, true, "500"},
		{"gateway", answeredWith(504, ``), karbor.Unavailable, true, "504"},
		{"not implemented", answeredWith(501, ``), karbor.Unavailable, false, "501"},
		{"token", answeredWith(401, `{"error":{"message":"no"}}`), karbor.Unauthorized, false, "token"},
		{"connection", &url.Error{Op: "Get", URL: "http://x/?hunter2", Err: io.ErrUnexpectedEOF}, karbor.Unavailable, true, "connection"},
		{"time-out", &url.Error{Op: "Get", URL: "http://x", Err: &timeoutError{time.Second}}, karbor.Unavailable, true, "in time"},
		{"explained before", karbor.Transientf("first"), karbor.Unavailable, true, "doing it: first"},
		{"our deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), karbor.Internal, true, "doing it"},
		{"cancelled", &url.Error{Op: "Get", URL: "http://x/?hunter2", Err: context.Canceled}, karbor.Internal, false, "doing it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Explain(test.err, "doing %s", "it")
			if karbor.KindOf(got) != test.kind || karbor.IsTransient(got) != test.transient || !strings.Contains(got.Error(), test.text) {
				t.Errorf("kind %d, transient %v: %v", karbor.KindOf(got), karbor.IsTransient(got), got)
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", got, errors.Unwrap(got)), "hunter2") {
				t.Errorf("the query of the URL is told: %v", got)
			}
			if IsNotFound(got) != (test.name == "not found") || IsNotFound(test.err) != (test.name == "not found") {
				t.Error("IsNotFound is wrong")
			}
		})
	}
	if Explain(nil, "nothing") != nil {
		t.Error("no error became one")
	}
}

func TestExplainHidesValuesAndForeignProjects(t *testing.T) {
	own, other := strings.Repeat("a1", 16), strings.Repeat("b2", 16)
	for _, test := range [][2]string{
		{`{"badRequest":{"message":"Invalid input for field/attribute adminPass. Value: hunter2. 'hunter2' is too long"}}`, "doing " + own + ": Invalid input for field/attribute adminPass"},
		{`{"badRequest":{"message":"project ` + other + ` is not ` + own + `"}}`, "doing " + own + ": project … is not " + own},
		{`{"badRequest":{"message":"` + strings.Repeat("é", 400) + `"}}`, "doing " + own + ": " + strings.Repeat("é", 150) + "…"},
	} {
		if got := karbor.Sentence(Explain(answeredWith(400, test[0]), "doing %s", own)); got != test[1] {
			t.Errorf("got %q, not %q", got, test[1])
		}
	}
}

func FuzzExplainNeverBreaks(f *testing.F) {
	f.Add(400, []byte(`{"a":{"message":"Invalid input for field x. Value: y"}}`))
	f.Add(409, []byte(`{"NeutronError":"text"}`))
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		err := Explain(answeredWith(code, string(body)), "doing")
		if err == nil || len(karbor.Sentence(err)) > longestMessage+50 {
			t.Errorf("got %v", err)
		}
	})
}

func TestPollGrowsItsPausesAndToleratesWhatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		const longest = 400 * time.Millisecond
		err := Poll(t.Context(), "a volume", longest, func(context.Context) (bool, error) {
			at = append(at, time.Since(begin))
			if len(at) == 2 {
				return false, karbor.Transientf("busy")
			}
			return len(at) == 7, nil
		})
		if err != nil || at[0] != 0 || at[1] != firstPoll {
			t.Fatalf("polled at %v: %v", at, err)
		}
		for i := 2; i < len(at); i++ {
			if pause := at[i] - at[i-1]; pause < at[i-1]-at[i-2] || pause > longest {
				t.Errorf("polled at %v", at)
			}
		}
		if last := at[6] - at[5]; last != longest {
			t.Errorf("the last pause is %v, not the longest", last)
		}
	})
}

func TestPollEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fatal := karbor.Errorf(karbor.Conflict, "it is in error")
		if err := Poll(t.Context(), "it", time.Second, func(context.Context) (bool, error) { return false, fatal }); !errors.Is(err, fatal) {
			t.Errorf("a lasting error: %v", err)
		}
		begin := time.Now()
		err := Poll(t.Context(), "it", 10*time.Second, func(context.Context) (bool, error) { return false, karbor.Transientf("down") })
		if took := time.Since(begin); !karbor.IsTransient(err) || took < patience || took > patience+time.Minute {
			t.Errorf("an error that could pass: %v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = Poll(ctx, "volume v to become available", time.Second, func(context.Context) (bool, error) { return false, nil })
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "volume v to become available") {
			t.Errorf("the end of the context: %v", err)
		}
	})
}
