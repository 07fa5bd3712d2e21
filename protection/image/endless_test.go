package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// endless is a cloud whose list of images never ends: each page has a next one.
type endless struct {
	pages atomic.Int64
	stop  context.CancelFunc
}

const tooMany = 5000

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/images") {
		return http.DefaultTransport.RoundTrip(r)
	}
	n := e.pages.Add(1)
	if n > tooMany {
		e.stop()
		return nil, errors.New("it asks for ever")
	}
	text := fmt.Sprintf(`{"images": [{"id": "%s", "name": "x", "status": "active"}], "next": "/v2/images?marker=%d"}`, karbor.NewID(), n)
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(text)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte(text))),
	}, nil
}

// TestAListThatNeverEndsIsNotReadForEver: the target of a restore may be hostile.
func TestAListThatNeverEndsIsNotReadForEver(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	way := &endless{stop: cancel}
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: karbor.NewID(), Name: "x"}, "")
	p := open(t, "{poll_interval: 20ms, timeout: 20s}")
	single := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()})
	call := single.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil)
	err := p.Hooks(karbor.RestoreOperation, karbor.ImageType).Undo(ctx, call)
	if n := way.pages.Load(); n > tooMany || err == nil || karbor.KindOf(err) != karbor.OverLimit || karbor.IsTransient(err) {
		t.Errorf("%d pages were read and kept: %v", n, err)
	}
}
