package openstack

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor"
)

// reached lets an authority reach the fake cloud as another one.
func (f *fakeCloud) reached(o *Options) {
	f.t.Helper()
	var err error
	if o.Reach, err = NewReach([]string{f.server.URL}, nil); err != nil {
		f.t.Fatal(err)
	}
}

var alice = PasswordAuth{Username: "alice", Password: "alice-pass", Project: "alpha"}

// inside is a service that only the operator's own machines should reach.
type inside struct {
	*httptest.Server
	hits atomic.Int64
}

func newInside(t *testing.T, l net.Listener) *inside {
	t.Helper()
	s := &inside{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.hits.Add(1)
		reply(w, 200, map[string]any{"secret": "of the operator"})
	}))
	if l != nil {
		_ = s.Listener.Close()
		s.Listener = l
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func TestReachKnowsWhatIsListed(t *testing.T) {
	t.Parallel()
	reach, err := NewReach(
		[]string{"https://keystone.example:5000/v3", "http://127.0.0.1:5000/v3", "https://8.8.4.4/v3"},
		[]string{"*.cloud.example", "10.1.0.0/16", "fd00:1::/64", "127.0.0.8", "0.0.0.0/0", "::/0", "169.254.0.0/15"})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://keystone.example:5000/v3": true, "http://KEYSTONE.example./x": true, "https://keystone.example.evil/": false,
		"https://nova.cloud.example:8774/": true, "https://cloud.example/": false, "https://evilcloud.example/": false,
		"http://127.0.0.1:5000/": true, "http://127.0.0.1:5001/": false, "http://[::ffff:127.0.0.1]:5000/": true, "http://127.0.0.8:22/": true,
		"https://8.8.4.4:8774/": true, "https://8.8.8.8/": true, "http://10.1.2.3/": true, "http://10.2.2.3/": false,
		"http://169.254.169.254/latest/meta-data": false, "http://[fd00:1::5]/": true, "http://[fd00:ec2::254]/": false,
		"http://[::1]/": false, "http://localhost/": false, "http://2130706433/": false, "http://0177.0.0.1/": false, "http://0.0.0.0/": false,
		"http://[64:ff9b::7f00:1]/": false, "http://[::127.0.0.1]/": false, "http://100.100.100.200/": false, "ftp://keystone.example/": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := reach.host(u); (err == nil) != want {
			t.Errorf("%s: %v, want it reached: %t", address, err, want)
		}
	}
	for address, want := range map[string]bool{
		"93.184.216.34:443": true, "10.1.2.3:443": true, "10.2.2.3:443": false, "127.0.0.1:5000": true, "127.0.0.1:3306": false,
		"169.254.169.254:80": false, "168.63.129.16:80": false, "168.63.129.17:80": true, "[fe80::1%lo]:80": false, "[::ffff:169.254.169.254]:80": false, "[2606:2800:220:1::1]:443": true,
	} {
		if err := reach.connect("tcp", address, nil); (err == nil) != want {
			t.Errorf("connecting to %s: %v, want it allowed: %t", address, err, want)
		}
	}
	for _, bad := range []string{"", "*", "*cloud.example", "a.*.example", "https://cloud.example", "cloud.example:5000", "10.0.0.0/33", "u@cloud.example"} {
		if _, err := NewReach(nil, []string{bad}); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("the entry %q gives %v", bad, err)
		}
	}
}

// TestCatalogOfAnotherCloudLeadsNowhereElse lets a hostile Keystone name an endpoint
// inside the operator's network.
func TestCatalogOfAnotherCloudLeadsNowhereElse(t *testing.T) {
	home, f, secret := newFakeCloud(t), newFakeCloud(t), newInside(t, nil)
	port := secret.Listener.Addr().(*net.TCPAddr).Port
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "169.254.169.254", "10.0.0.1"} {
		f.endpoint = "http://" + host + ":" + strconv.Itoa(port) + "/compute/v2.1"
		c, err := home.authority(f.reached).Password(t.Context(), f.server.URL, alice)
		if err != nil {
			t.Fatal(err)
		}
		err = ask(t, c)
		if karbor.KindOf(err) != karbor.Forbidden || karbor.IsTransient(err) || !strings.Contains(err.Error(), "does not allow") {
			t.Errorf("an endpoint at %s gives %v", host, err)
		}
	}
	if n := secret.hits.Load(); n != 0 {
		t.Errorf("the service inside got %d requests", n)
	}
}

func TestRedirectsOfAnotherCloudLeadNowhereElse(t *testing.T) {
	home, f, secret := newFakeCloud(t), newFakeCloud(t), newInside(t, nil)
	c, err := home.authority(f.reached).Password(t.Context(), f.server.URL, alice)
	if err != nil {
		t.Fatal(err)
	}
	f.compute = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, secret.URL, http.StatusFound) }
	if err := ask(t, c); err == nil {
		t.Error("a redirect into the operator's network was followed")
	}
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
		http.Redirect(w, r, secret.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	if _, err := home.authority(f.reached).Password(t.Context(), f.server.URL, alice); err == nil {
		t.Error("a Keystone that redirects into the operator's network is logged in to")
	}
	if n := secret.hits.Load(); n != 0 {
		t.Errorf("the service inside got %d requests", n)
	}
}

func TestWithoutAListNoOtherCloudIsReached(t *testing.T) {
	home, f := newFakeCloud(t), newFakeCloud(t)
	_, err := home.authority().Password(t.Context(), f.server.URL, alice)
	if karbor.KindOf(err) != karbor.Forbidden || err == nil {
		t.Errorf("got %v", err)
	}
	if n := len(f.lines("")); n != 0 {
		t.Errorf("the other cloud got %d requests", n)
	}
	if _, err := home.authority().Password(t.Context(), home.server.URL, alice); err != nil {
		t.Errorf("the own cloud is not reached: %v", err)
	}
}

func TestAnApplicationCredentialOpensAnotherCloud(t *testing.T) {
	home, f := newFakeCloud(t), newFakeCloud(t)
	c, err := home.authority(f.reached).Password(t.Context(), f.server.URL, PasswordAuth{CredentialID: "app", CredentialSecret: "ac-secret"})
	if err != nil {
		t.Fatal(err)
	}
	f.remove(c.(*session).grants.held().token.Reveal())
	if err := ask(t, c); err != nil || c.UserID() != "alice-id" {
		t.Errorf("as %s: %v", c.UserID(), err)
	}
}

// names is a name server whose one answer a test sets.
type names struct{ answer atomic.Pointer[netip.Addr] }

// resolver asks the names.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go n.serve(far)
		return near, nil
	}}
}

// serve answers one question on a stream (RFC 1035, 4.2.2).
func (n *names) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		var length [2]byte
		if _, err := readFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, int(length[0])<<8|int(length[1]))
		if _, err := readFull(c, query); err != nil {
			return
		}
		end := 12
		for query[end] != 0 {
			end += int(query[end]) + 1
		}
		question := query[12 : end+5]
		isA := question[len(question)-3] == 1
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		if isA {
			reply[7] = 1
			ip := n.answer.Load().As4()
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			reply = append(reply, ip[:]...)
		}
		if _, err := c.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...)); err != nil {
			return
		}
	}
}

func readFull(c net.Conn, b []byte) (int, error) {
	for n := 0; n < len(b); {
		m, err := c.Read(b[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return len(b), nil
}

// TestANameThatIsReboundLeadsNowhereElse has the name of a listed cloud stand for
// another address once the login is over.
func TestANameThatIsReboundLeadsNowhereElse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	same, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	home, f, secret := newFakeCloud(t), newFakeCloud(t), newInside(t, same)
	second := httptest.NewUnstartedServer(f)
	_ = second.Listener.Close()
	second.Listener = l
	second.Start()
	defer second.Close()
	f.endpoint = "http://cloud.example:" + port + "/compute/v2.1"
	dns := &names{}
	good, bad := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	dns.answer.Store(&good)
	a := home.authority(func(o *Options) {
		if o.Reach, err = NewReach([]string{"http://cloud.example:" + port + "/v3"}, []string{"127.0.0.2"}); err != nil {
			t.Fatal(err)
		}
		o.Resolver = dns.resolver()
	})
	c, err := a.Password(t.Context(), "http://cloud.example:"+port+"/v3", alice)
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	dns.answer.Store(&bad)
	a.Close() // the next request connects anew
	if err := ask(t, c); karbor.KindOf(err) != karbor.Forbidden || err == nil {
		t.Errorf("after the name was rebound: %v", err)
	}
	if n := secret.hits.Load(); n != 0 {
		t.Errorf("the service inside got %d requests", n)
	}
}
