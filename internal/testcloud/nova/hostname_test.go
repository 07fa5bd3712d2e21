package nova

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestHostNameIsOfTheServersNameOrChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		image := s.image([]byte("root"))
		long := strings.Repeat("a", 70)
		for name, want := range map[string]string{
			"shop": "shop", "My Shop_1!": "my-shop-1", "shop.example.org": "shop-example-org", "shopшоп": "shop", "-Café-": "café", long: long[:63],
		} {
			if got := s.server(object{"name": name, "imageRef": image}).Hostname; got != want {
				t.Errorf("the guest of %q is called %q; want %q", name, got, want)
			}
		}
		if made := s.server(object{"name": "магазин", "imageRef": image}); made.Hostname != "Server-"+made.ID {
			t.Errorf("the guest of a name without Latin letters is called %q", made.Hostname)
		}
		for _, c := range []struct {
			version, host string
			more          object
			want          int
		}{
			{"2.90", "db-1", nil, http.StatusAccepted}, {"2.89", "db-1", nil, http.StatusBadRequest},
			{"2.90", "db.example.org", nil, http.StatusBadRequest}, {"2.93", "d", nil, http.StatusBadRequest}, {"2.90", "-db", nil, http.StatusBadRequest},
			{"2.94", "db.example.org", nil, http.StatusAccepted}, {"2.94", "d b", nil, http.StatusBadRequest},
			{"2.90", "db-1", object{"min_count": 2}, http.StatusBadRequest},
		} {
			body := object{"name": "srv", "flavorRef": "1", "networks": "none", "imageRef": image, "hostname": c.host}
			maps.Copy(body, c.more)
			status, o := s.call("a", c.version, http.MethodPost, "/servers", object{"server": body})
			if status != c.want {
				t.Errorf("at %s the host name %q gives %d, %v; want %d", c.version, c.host, status, o, c.want)
			}
			if status != http.StatusAccepted {
				continue
			}
			made, _ := o["server"].(object)["id"].(string)
			_, o = s.call("a", "2.90", http.MethodGet, "/servers/"+made, nil)
			if got := o["server"].(object)["OS-EXT-SRV-ATTR:hostname"]; got != c.host {
				t.Errorf("the host name %q became %v", c.host, got)
			}
		}
	})
}

func TestHostNameDoesNotFollowALaterName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		server := s.server(object{"name": "shop", "imageRef": s.image([]byte("root"))})
		for _, c := range []struct {
			version string
			change  object
			status  int
			want    string
		}{
			{"2.90", object{"name": "other"}, http.StatusOK, "shop"},
			{"2.89", object{"hostname": "db-1"}, http.StatusBadRequest, "shop"},
			{"2.90", object{"hostname": "db-1"}, http.StatusOK, "db-1"},
		} {
			status, _ := s.call("a", c.version, http.MethodPut, "/servers/"+server.ID, object{"server": c.change})
			_, o := s.call("a", "2.90", http.MethodGet, "/servers/"+server.ID, nil)
			if got := o["server"].(object)["OS-EXT-SRV-ATTR:hostname"]; status != c.status || got != c.want {
				t.Errorf("at %s the change %v gives %d, and the host name %v", c.version, c.change, status, got)
			}
		}
	})
}
