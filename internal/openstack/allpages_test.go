package openstack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
)

// few are bounds that a test reaches soon.
var few = bounds{pages: 20, things: 100, list: 8 << 10, page: 2 << 10}

// TestAListOfACloudIsReadAsFarAsAnHonestOneGoes has page n of a list hold so many things; a negative number is the last's.
func TestAListOfACloudIsReadAsFarAsAnHonestOneGoes(t *testing.T) {
	steady := func(things int) func(int) int { return func(int) int { return things } }
	for name, test := range map[string]struct {
		things func(page int) int
		fill   int // bytes of each thing's name
		got    int
		pages  int // the most that may be asked for; 0 stands for as many as there are
	}{
		"nothing":         {steady(0), 0, 0, 1},
		"one page":        {steady(-2), 0, 2, 1},
		"several pages":   {func(n int) int { return []int{3, 3, -1}[n-1] }, 0, 7, 3},
		"without end":     {steady(1), 0, -1, 21},
		"too many things": {steady(10), 0, -1, 11},
		"a page too long": {steady(-1), 2 << 10, -1, 1},
		"too many bytes":  {steady(1), 1 << 10, -1, 8},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				things, next := test.things(asked), "/v2/images?marker="+strconv.Itoa(asked)
				if things <= 0 {
					things, next = -things, ""
				}
				w.Header().Set("Content-Type", "application/json")
				thing, err := json.Marshal(map[string]string{"id": "x", "name": strings.Repeat("n", test.fill)})
				if err != nil {
					t.Error(err)
				}
				_, _ = fmt.Fprintf(w, `{"images": [%s], "next": %q}`, strings.TrimSuffix(strings.Repeat(string(thing)+",", things), ","), next)
			}))
			defer s.Close()
			way, err := newTransport(Options{HTTP: s.Client(), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			client := &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: way}}, Endpoint: s.URL + "/"}
			all, err := allPages(t.Context(), images.List(client, images.ListOpts{}), images.ExtractImages, few)
			if test.got >= 0 && (err != nil || len(all) != test.got) {
				t.Errorf("got %d things, %v; want %d", len(all), err, test.got)
			}
			if test.got < 0 {
				if err := Explain(err, "listing"); err == nil || karbor.KindOf(err) != karbor.OverLimit || karbor.IsTransient(err) || all != nil {
					t.Errorf("got %d things, %v", len(all), err)
				}
			}
			if asked > test.pages {
				t.Errorf("%d pages were asked for; want %d", asked, test.pages)
			}
		})
	}
}
