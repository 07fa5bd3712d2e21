package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// tokens counts how often a new token was asked for.
type tokens struct{ renewed int }

func (k *tokens) Token(context.Context) (karbor.Secret, error) {
	return karbor.Secret(fmt.Sprintf("token-%d", k.renewed)), nil
}

func (k *tokens) Renew(ctx context.Context, _ karbor.Secret) (karbor.Secret, error) {
	k.renewed++
	return k.Token(ctx)
}

// open makes a client of a service that handle plays; pauses cost no time.
func open(t *testing.T, handle http.HandlerFunc) (*client.Client, *tokens) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	k := &tokens{}
	c, err := client.New(client.Options{Endpoint: server.URL + "/v1/p", Tokens: k, HTTP: server.Client(),
		Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	return c, k
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	asked := 0
	c, k := open(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("X-Auth-Token") != "token-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"plan":{"id":"1","name":"n"}}`)
	})
	p, err := c.Plans.Show(t.Context(), "1")
	if err != nil || p.Name != "n" || asked != 2 || k.renewed != 1 {
		t.Errorf("plan %+v, error %v, %d requests, %d renewals", p, err, asked, k.renewed)
	}
}

func TestTokenThatStaysBadIsAnErrorAfterOneRenewal(t *testing.T) {
	c, k := open(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	_, err := c.Plans.Show(t.Context(), "1")
	if karbor.KindOf(err) != karbor.Unauthorized || k.renewed != 1 {
		t.Errorf("error %v, %d renewals", err, k.renewed)
	}
}

func TestChangesAreNotTriedAgain(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		asked := map[string]int{}
		c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
			asked[r.Method]++
			if r.Method == http.MethodGet && asked[r.Method] == 3 {
				_, _ = io.WriteString(w, `{"plan":{"id":"1"}}`)
				return
			}
			w.WriteHeader(status)
		})
		if _, err := c.Plans.Show(t.Context(), "1"); err != nil {
			t.Errorf("%d: show: %v", status, err)
		}
		_, updateErr := c.Plans.Update(t.Context(), "1", client.PlanChange{})
		for _, err := range []error{updateErr, c.Plans.Delete(t.Context(), "1")} {
			if karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) {
				t.Errorf("%d: error %v", status, err)
			}
		}
		want := map[string]int{http.MethodGet: 3, http.MethodPut: 1, http.MethodDelete: 1}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%d: requests (-want +got):\n%s", status, diff)
		}
	}
}

func TestOtherFailuresAreNotTriedAgain(t *testing.T) {
	asked := 0
	c, _ := open(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusInternalServerError)
	})
	if _, err := c.Plans.Show(t.Context(), "1"); err == nil || asked != 1 {
		t.Errorf("error %v after %d requests", err, asked)
	}
}

func TestUnreachableServiceIsUnavailable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	waits := []time.Duration{}
	c, err := client.New(client.Options{Endpoint: server.URL, Tokens: &tokens{}, HTTP: server.Client(),
		Pause: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Plans.Show(t.Context(), "1")
	if karbor.KindOf(err) != karbor.Unavailable {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second}, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

// silent is a transport whose requests never get an answer.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestServiceThatSaysNothingTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New(client.Options{Endpoint: "http://service/v1/p", Tokens: &tokens{},
			HTTP: &http.Client{Transport: silent{}}, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err = c.Plans.Delete(t.Context(), "1"); karbor.KindOf(err) != karbor.Unavailable {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestErrorsCarryKindMessageAndRequest(t *testing.T) {
	for status, want := range map[int]karbor.Kind{
		400: karbor.Invalid, 401: karbor.Unauthorized, 403: karbor.Forbidden, 404: karbor.NotFound, 406: karbor.Invalid,
		409: karbor.Conflict, 413: karbor.OverLimit, 424: karbor.FailedDependency, 429: karbor.TooMany,
		500: karbor.Internal, 501: karbor.NotImplemented,
	} {
		c, _ := open(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Openstack-Request-Id", "req-7")
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"anyName":{"code":1,"message":"the reason"}}`)
		})
		_, err := c.Restores.Create(t.Context(), client.RestoreRequest{CheckpointID: "c"})
		e, ok := errors.AsType[*client.Error](err)
		if !ok || karbor.KindOf(err) != want || client.RequestID(err) != "req-7" || e.RetryAfter != 9*time.Second || e.Status != status {
			t.Errorf("%d: %#v", status, err)
		}
		if err.Error() != "restoring the checkpoint c: the reason" {
			t.Errorf("%d: text %q", status, err)
		}
	}
}

func TestAnswersThatCantBeReadAreErrors(t *testing.T) {
	for _, text := range []string{"", "x", "[]", `{"plans":{}}`, `{"other":[]}`, `{"plans":[],"plans_links":1}`,
		`{"plans":[{"id":"1"}],"plans_links":[{"rel":"next","href":"http://h/?"}]}`,
		`{"plans":[{"id":"1"}],"plans_links":[{"rel":"next","href":"%"}]}`} {
		c, _ := open(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		failed := false
		for _, err := range c.Plans.List(t.Context(), client.ListOptions{}) {
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestNewRefusesAnEndpointThatIsNoURL(t *testing.T) {
	for _, endpoint := range []string{"", "host:8799", "ftp://host/v1", "http://", "%"} {
		if _, err := client.New(client.Options{Endpoint: endpoint}); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%q: error %v", endpoint, err)
		}
	}
}

// body decodes a request's body.
func body(t *testing.T, r *http.Request) any {
	t.Helper()
	var v any
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		t.Errorf("the body of %s %s: %v", r.Method, r.URL, err)
	}
	return v
}
