package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

func TestOperationIsFollowedToItsEnd(t *testing.T) {
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/p/operations/1/events" || r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked for %s as %s", r.URL.Path, r.Header.Get("Accept"))
		}
		_, _ = fmt.Fprint(w, ":\n\nevent: progress\ndata: {\"operation\":{\"id\":\"1\",\"state\":\"running\",\"bytes_done\":5}}\n\n",
			"event: end\ndata: {\"operation\":{\"id\":\"1\",\"state\":\"over\",\"status\":\"available\"}}\n\nevent: progress\ndata: nothing\n\n")
	})
	var got []string
	for o, err := range c.Operations.Events(t.Context(), "1") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(o.State, " ", o.BytesDone, " ", o.Over()))
	}
	if diff := cmp.Diff([]string{"running 5 false", "over 0 true"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestStreamThatEndsEarlyIsAnErrorThatMayPass(t *testing.T) {
	for body, want := range map[string]bool{
		"event: close\ndata: {\"reason\":\"the token has expired\"}\n\n": true,
		":\n\n":                        true,
		"event: progress\ndata: {\n\n": false,
	} {
		c, _ := open(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) })
		var last error
		for _, err := range c.Operations.Events(t.Context(), "1") {
			last = err
		}
		if last == nil || karbor.IsTransient(last) != want {
			t.Errorf("%q gives %v", body, last)
		}
	}
	c, _ := open(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"itemNotFound": {"code": 404, "message": "there is none"}}`)
	})
	for _, err := range c.Operations.Events(t.Context(), "1") {
		if karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("of nothing: %v", err)
		}
	}
}

func TestOperationIsCancelledWithOrWithoutAReason(t *testing.T) {
	var bodies []map[string]any
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		bodies = append(bodies, body)
		_, _ = fmt.Fprint(w, `{"operation": {"id": "1", "state": "stopping", "cancelled": "cancelled by ada"}}`)
	})
	for _, reason := range []string{"", "enough"} {
		o, err := c.Operations.Cancel(t.Context(), "1", reason)
		if want := (client.Operation{ID: "1", State: "stopping", Cancelled: "cancelled by ada"}); err != nil || !cmp.Equal(o, want) {
			t.Errorf("got %+v, %v", o, err)
		}
	}
	want := []map[string]any{{"cancel": map[string]any{}}, {"cancel": map[string]any{"reason": "enough"}}}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
}

func TestOperationIsShown(t *testing.T) {
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/v1/p/operations/1" {
			t.Errorf("asked for %s %s", r.Method, r.URL.Path)
		}
		_, _ = fmt.Fprint(w, `{"operation": {"id": "1", "state": "running", "bytes_done": 5, "bytes_total": 9, "seconds_left": 4}}`)
	})
	o, err := c.Operations.Show(t.Context(), "1")
	if want := (client.Operation{ID: "1", State: "running", BytesDone: 5, BytesTotal: 9, SecondsLeft: 4}); err != nil || !cmp.Equal(o, want) {
		t.Errorf("got %+v, %v", o, err)
	}
}
