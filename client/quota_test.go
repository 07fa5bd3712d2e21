package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

func TestRequestsAboutQuotasVerificationsAndCopies(t *testing.T) {
	var method, path string
	var sent any
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		method, path, sent = r.Method, r.URL.EscapedPath(), nil
		if r.Method == http.MethodPost || r.Method == http.MethodPut {
			sent = body(t, r)
		}
		if got := r.Header.Get("OpenStack-API-Version"); got != "data-protect "+client.Microversion {
			t.Errorf("%s %s: microversion %q", method, path, got)
		}
		_, _ = io.WriteString(w, `{"quota":{},"quota_class":{},"verification":{},"copy":{},"verifications":[],"copies":[]}`)
	})
	ctx := t.Context()
	none, many := int64(client.Unlimited), int64(9)
	discard := func(_ any, err error) error { return err }
	for _, test := range []struct {
		do                 func() error
		method, path, body string
	}{
		{func() error { return discard(c.Quotas.Show(ctx, "p/q")) }, "GET", "/quotas/p%2Fq", "null"},
		{func() error { return discard(c.Quotas.Defaults(ctx, "p")) }, "GET", "/quotas/p/defaults", "null"},
		{func() error { return discard(c.Quotas.Detail(ctx, "p")) }, "GET", "/quotas/p/detail", "null"},
		{func() error {
			return discard(c.Quotas.Update(ctx, "p", client.QuotaChange{Plans: &none, Gigabytes: &many}))
		}, "PUT", "/quotas/p", `{"quota":{"plans":-1,"gigabytes":9}}`},
		{func() error { return c.Quotas.Delete(ctx, "p") }, "DELETE", "/quotas/p", "null"},
		{func() error { return discard(c.QuotaClasses.Show(ctx, "default")) }, "GET", "/quota_classes/default", "null"},
		{func() error {
			return discard(c.QuotaClasses.Update(ctx, "default", client.QuotaChange{Checkpoints: &many}))
		}, "PUT", "/quota_classes/default", `{"quota_class":{"checkpoints":9}}`},
		{func() error {
			return discard(c.Verifications.Create(ctx, client.VerificationRequest{ProviderID: "b", CheckpointID: "1"}))
		}, "POST", "/verifications", `{"verification":{"provider_id":"b","checkpoint_id":"1","parameters":{}}}`},
		{func() error { return discard(c.Verifications.Show(ctx, "v")) }, "GET", "/verifications/v", "null"},
		{func() error {
			return discard(c.Copies.Create(ctx, "b", client.CopyRequest{PlanID: "1", Parameters: karbor.Parameters{"OS::Nova::Server": {"a": "b"}}}))
		}, "POST", "/providers/b/checkpoints/action", `{"copy":{"plan_id":"1","parameters":{"OS::Nova::Server":{"a":"b"}}}}`},
		{func() error { return discard(c.Copies.Show(ctx, "b", "c")) }, "GET", "/providers/b/copies/c", "null"},
		{func() error { return drain(c.Verifications.List(ctx, client.ListOptions{})) }, "GET", "/verifications", "null"},
		{func() error { return drain(c.Copies.List(ctx, "b", client.ListOptions{})) }, "GET", "/providers/b/copies", "null"},
	} {
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.path, err)
		}
		var want any
		if err := json.Unmarshal([]byte(test.body), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sent); diff != "" || method != test.method || path != "/v1/p"+test.path {
			t.Errorf("%s %s, not %s %s; body (-want +got):\n%s", method, path, test.method, test.path, diff)
		}
	}
}

func drain[T any](items func(func(T, error) bool)) error {
	for _, err := range items {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestQuotasAndCopiesAreReadWhole(t *testing.T) {
	c, _ := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/p/quotas/p/detail" {
			_, _ = io.WriteString(w, `{"quota":{"id":"p","plans":{"limit":-1,"in_use":3,"reserved":0},
				"checkpoints":{"limit":9,"in_use":4,"reserved":2},"gigabytes":{"limit":5,"in_use":6,"reserved":7}}}`)
			return
		}
		_, _ = io.WriteString(w, `{"copy":{"id":"c","status":"copying","checkpoint_id":[{"checkpoint_protect_id":"1","checkpoint_copy_id":"2"}]}}`)
	})
	q, err := c.Quotas.Detail(t.Context(), "p")
	want := client.QuotaDetail{ID: "p", Plans: client.QuotaUsage{Limit: -1, InUse: 3},
		Checkpoints: client.QuotaUsage{Limit: 9, InUse: 4, Reserved: 2}, Gigabytes: client.QuotaUsage{Limit: 5, InUse: 6, Reserved: 7}}
	if d := cmp.Diff(want, q); d != "" || err != nil {
		t.Error(d, err)
	}
	made, err := c.Copies.Show(t.Context(), "b", "c")
	if err != nil || made.Status != karbor.CopyCopying || len(made.Checkpoints) != 1 || made.Checkpoints[0].CopyID != "2" {
		t.Error(made, err)
	}
}
