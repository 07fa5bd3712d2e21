package drill_test

import (
	"bytes"
	"context"

	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// watched notes the requests to a cloud; image changes what it shows of an image.
type watched struct {
	image func(string) string

	mu       sync.Mutex
	requests []string
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, r.Method+" "+r.URL.Path)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || w.image == nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/v2/images/") || strings.HasSuffix(r.URL.Path, "/file") {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	text = []byte(w.image(string(text)))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	answer.Header.Del("Content-Length")
	return answer, err
}

func (w *watched) saw(request string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.requests {
		if method, path, _ := strings.Cut(request, " "); strings.HasPrefix(r, method) && strings.HasSuffix(r, path) {
			return true
		}
	}
	return false
}

// disk puts an encrypted volume into a stage, whose requests w sees.
func (s *stage) disk(w *watched) {
	s.t.Helper()
	volume := s.Make(s.t, "volume", "volumes", "volume", map[string]any{"name": "data", "size": 1, "volume_type": "luks"})
	id := volume["id"].(string)
	s.Await(s.t, "volume", "volumes/"+id, "volume", "available")
	node := s.site.Graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: "disk"}, "")
	s.call.Node, s.subject = node, drill.Subject{ID: id}
	s.call.Cloud = s.Session(s.t, &http.Client{Transport: w})
	s.site.Cloud = s.call.Cloud
}

func TestVolumeProbeWaitsForAnImageWhoseBytesStillCome(t *testing.T) {
	s, shown := newStage(t), 0
	s.disk(&watched{image: func(text string) string {
		if shown++; shown <= 2 {
			return strings.ReplaceAll(strings.ReplaceAll(text, `"status":"active"`, `"status":"uploading"`), `"status": "active"`, `"status": "uploading"`)
		}
		return text
	}})
	found := s.probe(drill.VolumeProbe, karbor.DrillProbes{Volume: &karbor.VolumeProbe{}})
	// The volume is empty.
	if found.Result != evidence.Impossible || !strings.Contains(found.Reason, "No file system was recognised") || shown < 3 {
		t.Errorf("it found %+v after %d looks", found, shown)
	}
}

func TestVolumeProbeLeavesNoSecretOfItsImage(t *testing.T) {
	s, key := newStage(t), ""
	w := &watched{image: func(text string) string {
		if _, rest, ok := strings.Cut(text, `"cinder_encryption_key_id"`); ok {
			key = strings.Split(rest, `"`)[1]
		}
		return text
	}}
	s.disk(w)
	s.probe(drill.VolumeProbe, karbor.DrillProbes{Volume: &karbor.VolumeProbe{}})
	if key == "" || !w.saw("DELETE /secrets/"+key) {
		t.Errorf("the secret %q stays where Glance has no key manager", key)
	}
}

func TestVolumeIsReadInAPlaceForStreams(t *testing.T) {
	s, w := newStage(t), &watched{}
	s.disk(w)
	inside, entered := 0, 0
	s.subject.Enter = func(context.Context) (func(), error) {
		if w.saw("GET /file") {
			t.Error("it was read before there was a place")
		}
		inside++
		entered++
		return func() {
			if !w.saw("GET /file") {
				t.Error("it was not read in its place")
			}
			inside--
		}, nil
	}
	s.probe(drill.VolumeProbe, karbor.DrillProbes{Volume: &karbor.VolumeProbe{}})
	if inside != 0 || entered != 1 {
		t.Errorf("%d places were taken, %d stay so", entered, inside)
	}
	full := karbor.Errorf(karbor.Conflict, "no place")
	s.subject.Enter = func(context.Context) (func(), error) { return nil, full }
	prober := drill.NewProber(drill.Options{Poll: 5 * time.Millisecond, ImageTimeout: time.Minute, Now: time.Now})
	found, err := prober.Probe(t.Context(), drill.VolumeProbe, s.call, s.subject)
	if err != nil || !strings.Contains(found.Reason, "no place") {
		t.Errorf("without a place it found %+v, %v", found, err)
	}
}

func TestWhatOneServiceDoesNotRemoveDoesNotKeepTheOthers(t *testing.T) {
	s := newStage(t)
	s.disk(&watched{})
	s.Remove(t, "compute", "servers/"+s.server, "server")
	for _, p := range s.Do(t, "network", "GET", "ports?network_id="+s.fresh.parts[originalNetwork], nil)["ports"].([]any) {
		if port := p.(map[string]any); !strings.HasPrefix(port["device_owner"].(string), "network:") {
			s.Do(t, "network", "DELETE", "ports/"+port["id"].(string), nil)
		}
	}
	s.Fault(t, fabric.Fault{Service: "glance", Method: "GET", Path: "/images$", Status: 403, Message: "not today"})
	if err := drill.Remove(t.Context(), s.site); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("the error is %v", err)
	}
	for _, n := range s.Do(t, "network", "GET", "networks", nil)["networks"].([]any) {
		if strings.Contains(n.(map[string]any)["description"].(string), drillID) {
			t.Errorf("the network stays: %v", n)
		}
	}
}
