package volumefreezer_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// withoutFreezer is the way to the cloud as it is when Freezer was taken out of its catalogue.
type withoutFreezer struct{}

func (withoutFreezer) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, "/auth/") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	body = bytes.ReplaceAll(body, []byte(`"backup"`), []byte(`"gone"`))
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

func TestVolumeOfARestoreGoesWhereFreezerIsGone(t *testing.T) {
	s, p := newSite(t), open(t, "{poll_interval: 10ms, timeout: 2s}")
	c := begin(s, p, s.disk(t))
	c.mustProtect(t)
	before := s.Inventory(t)
	s.Fault(t, fabric.Fault{Service: "freezer", Transition: "job.start", Delay: fabric.Duration(time.Hour)})
	call, err := c.restore(t, nil)
	if err == nil {
		t.Fatal("no scheduler has restored it")
	}
	call.Cloud = s.Session(t, &http.Client{Transport: withoutFreezer{}})
	if err := p.Hooks(karbor.RestoreOperation, karbor.VolumeType).Undo(t.Context(), call); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, s.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}
