package drill_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice/drill"
)

// mortal is a process that dies behind so many requests to the cloud: the last is carried out, but
// it never learns so.
type mortal struct {
	left int
	die  context.CancelFunc // nil while it lives for ever
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if m.die == nil || err != nil {
		return answer, err
	}
	if m.left--; m.left < 0 {
		m.die()
		_ = answer.Body.Close()
		return nil, context.Canceled
	}
	return answer, nil
}

// temporary gives what probes make, and the drill's own networks keep nobody from removing.
func (s *stage) temporary() string {
	s.t.Helper()
	var found []string
	for service, kinds := range map[string][]string{"network": {"floatingips", "routers"}, "image": {"images"}} {
		for _, kind := range kinds {
			for _, item := range s.Do(s.t, service, "GET", kind, nil)[kind].([]any) {
				if text := fmt.Sprint(item); strings.Contains(text, drillID) {
					found = append(found, kind+" "+text)
				}
			}
		}
	}
	return strings.Join(found, "\n")
}

func TestProbeKilledAnywhereIsMadeAgainAndLeavesNothing(t *testing.T) {
	for _, name := range []string{drill.PortProbe, drill.VolumeProbe} {
		t.Run(name, func(t *testing.T) {
			s, m := newStage(t), &mortal{}
			if name == drill.VolumeProbe {
				s.disk(&watched{})
			}
			s.call.Cloud = s.Session(t, &http.Client{Transport: m})
			s.site.Cloud = s.call.Cloud
			s.subject.Probes = karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 5}, Volume: &karbor.VolumeProbe{}}
			probe := func(ctx context.Context) (evidence.Probe, error) {
				return drill.NewProber(drill.Options{
					Dial: func(context.Context, string, string) (net.Conn, error) {
						here, there := net.Pipe()
						return here, there.Close()
					},
					Source: "198.51.100.7", ExternalNetwork: s.external, Poll: 5 * time.Millisecond, ImageTimeout: time.Minute, Now: time.Now,
				}).Probe(ctx, name, s.call, s.subject)
			}
			deaths := 0
			for killed := true; killed; deaths++ {
				for _, again := range []bool{false, true} {
					ctx, cancel := context.WithCancel(t.Context())
					m.left, m.die = deaths, cancel
					_, err := probe(ctx)
					m.die = nil
					cancel()
					if killed = err != nil; killed && again {
						if found, err := probe(t.Context()); err != nil || found.Result == evidence.Failed {
							t.Fatalf("killed behind %d requests, it then found %+v, %v", deaths, found, err)
						}
					}
					// The networks stay: the server is on them.
					if err := drill.Remove(t.Context(), s.site); err == nil || !strings.Contains(err.Error(), "deleting networks") {
						t.Errorf("killed behind %d requests, the removal is %v", deaths, err)
					}
					if left := s.temporary(); left != "" {
						t.Fatalf("killed behind %d requests, there is left:\n%s", deaths, left)
					}
				}
			}
			if deaths < 6 {
				t.Errorf("it died only %d times", deaths)
			}
			s.clear()
		})
	}
}
