package share_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// without is the way to a cloud whose catalogue lacks services.
type without []string

func (w without) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, "/auth/") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	for _, one := range w {
		body = bytes.ReplaceAll(body, []byte(`"`+one+`"`), []byte(`"gone"`))
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// TestCloudWithoutManilaLeavesNothingToUndo: the target of a restore has no such service, or not in its region.
func TestCloudWithoutManilaLeavesNothingToUndo(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newFiles(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	call := s.Begin(tenant.Session(t, &http.Client{Transport: without{"sharev2", "shared-file-system"}}), nil, nil)
	hooks := p.Hooks(karbor.RestoreOperation, karbor.ShareType)
	if err := s.Run(t, hooks.Main, call); err == nil || karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("restoring gives %v", err)
	}
	undo := func(ctx context.Context, call *protection.Call) error { return protection.Undo(ctx, hooks.Undo, call) }
	if err := s.Run(t, undo, call); err != nil {
		t.Errorf("undoing gives %v", err)
	}
}
