package janitor_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/protectionservice/janitor"
)

func (n tenant) share(t *testing.T, metadata map[string]string) string {
	t.Helper()
	id := n.created(t, "/share/v2/shares", "share", map[string]any{"name": "files", "size": 1, "share_proto": "NFS", "metadata": metadata})
	n.until(t, func() bool {
		return strings.Contains(string(n.Do(t, n.token, http.MethodGet, "/share/v2/shares/"+id, nil).Body), `"available"`)
	})
	return id
}

func TestAShareThatSomebodyMayReachStays(t *testing.T) {
	n := newTenant(t)
	used, unused := n.share(t, restoring().RestoringTags()), n.share(t, restoring().RestoringTags())
	a := n.Do(t, n.token, http.MethodPost, "/share/v2/shares/"+used+"/action", map[string]any{"allow_access": map[string]any{
		"access_type": "ip", "access_to": "192.0.2.0/24", "access_level": "rw"}}, "X-OpenStack-Manila-API-Version", "2.45")
	if a.Status/100 != 2 {
		t.Fatalf("letting somebody at the share gives %d %s", a.Status, a.Body)
	}
	found := judged(t, administrator(t, n), janitor.Query{Remove: true, Unfinished: true})
	if diff := cmp.Diff(map[string]string{used: "it has access rules, so that somebody may use it", unused: ""}, found); diff != "" {
		t.Errorf("what is found (-want +got):\n%s", diff)
	}
	if !n.there(t, "/share/v2/shares/"+used) {
		t.Error("it is gone")
	}
}

// stuck is the way to a Manila that gives the same page for ever.
type stuck struct{ pages int }

func (s *stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/shares/detail") {
		if s.pages++; s.pages > 5 {
			return nil, fmt.Errorf("the list is asked for page %d", s.pages)
		}
		r = r.Clone(r.Context())
		query := r.URL.Query()
		query.Set("offset", "0")
		r.URL.RawQuery = query.Encode()
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestAListOfSharesThatDoesNotGoOnEnds(t *testing.T) {
	n := newTenant(t)
	id := n.share(t, restoring().RestoringTags())
	things, err := janitor.NewCloud(session(t, n, &http.Client{Transport: &stuck{}})).Temporary(t.Context(), janitor.Share, ours)
	if err != nil || len(things) != 1 || things[0].ID != id {
		t.Errorf("found are %+v, %v", things, err)
	}
}
