package openstack_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection"
)

// olderManila is a way to a cloud whose Manila says that it has no newer microversion than one of 2.x.
type olderManila struct{ newest int }

// RoundTrip implements http.RoundTripper.
func (o olderManila) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || strings.TrimSuffix(r.URL.Path, "/") != "/share/v2" {
		return res, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	text = bytes.ReplaceAll(text, []byte(`"version":"2.73"`), fmt.Appendf(nil, `"version":"2.%d"`, o.newest))
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	res.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return res, nil
}

// since gives a cloud whose Manila is so old, and a tenant of it.
func since(t *testing.T, newest int) (*cloudtest.Cloud, karbor.Cloud) {
	t.Helper()
	c := cloudtest.Start(t)
	user, _ := c.User("karbor")
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: c.URL(), Username: user.Name, Password: karbor.Secret(user.Password), Project: user.ProjectName,
		Now: time.Now, HTTP: &http.Client{Transport: olderManila{newest}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authority.Close)
	old := *c
	old.Authority = authority
	demo := old.Tenant("alpha", "member")
	client, err := openstack.SharedFileSystems(t.Context(), demo)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("2.%d", min(63, newest)); client.Microversion != want {
		t.Fatalf("Manila is asked in microversion %s, not %s", client.Microversion, want)
	}
	return c, demo
}

// TestOnlyQuotasThatManilaKnowsAreAskedFor has Manilas of several ages. Those of one type are there since 2.39, the size of
// a share since 2.62; what is not there does not keep the project's from being told.
func TestOnlyQuotasThatManilaKnowsAreAskedFor(t *testing.T) {
	ofAll := `the quota "shares" does not suffice: the restore needs 3, and 2 of 2 are left`
	ofType := `the quota "shares" for the share type "frozen" does not suffice: the restore needs 2, and 1 of 1 are left`
	for newest, test := range map[int]struct {
		want    []string
		largest int64
		asked   int
	}{
		6:  {[]string{ofAll}, -1, 0},
		24: {[]string{ofAll}, -1, 0},
		25: {[]string{ofAll}, -1, 0},
		38: {[]string{ofAll}, -1, 0},
		39: {[]string{ofAll, ofType}, -1, 1},
		61: {[]string{ofAll, ofType}, -1, 1},
		62: {[]string{ofAll, ofType}, 4, 2},
		73: {[]string{ofAll, ofType}, 4, 2},
	} {
		t.Run(fmt.Sprint("2.", newest), func(t *testing.T) {
			c, demo := since(t, newest)
			setShareQuotas(t, c, demo, "", map[string]any{"shares": 2, "per_share_gigabytes": 4})
			setShareQuotas(t, c, demo, "frozen", map[string]any{"shares": 1})
			c.Requests().Reset()
			got, err := openstack.Shortages(t.Context(), demo, "the restore", map[protection.Need]int64{
				protection.NeedShares: 3, protection.NeedShares.OfShareType("frozen"): 2,
			})
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v; (-want +got):\n%s", err, diff)
			}
			if most, err := openstack.Largest(t.Context(), demo, protection.NeedShareSize); err != nil || most != test.largest {
				t.Errorf("the largest share has %d GiB, %v; want %d", most, err, test.largest)
			}
			if asked := c.Requests().Counts()["manila GET /share/v2/quota-sets/{target}/detail"]; asked != test.asked {
				t.Errorf("Manila was asked for quotas %d times, want %d: %v", asked, test.asked, c.Requests().Counts())
			}
		})
	}
}
