package swift_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/swift"
	"github.com/karbor/karbor/bank/wrap"
	"github.com/karbor/karbor/internal/openstack"
)

func TestAnswersOfSwiftHaveTheirKinds(t *testing.T) {
	for _, test := range []struct {
		status    int
		kind      karbor.Kind
		transient bool
		text      string
	}{
		{500, karbor.Unavailable, true, "does not answer now"},
		{498, karbor.Unavailable, true, "does not answer now"},
		{409, karbor.Unavailable, true, "under way"},
		{422, karbor.Unavailable, true, "damaged"},
		{401, karbor.Unavailable, false, "refuses access"},
		{403, karbor.Unavailable, false, "refuses access"},
		{413, karbor.OverLimit, false, "full"},
		{507, karbor.OverLimit, false, "full"},
		{400, karbor.Unavailable, false, "refuses the request"},
	} {
		f := newFake(t)
		b := openBank(t, f.keystone.URL, "karbor", nil)
		f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
			http.Error(w, "your token is "+r.Header.Get("X-Auth-Token"), test.status)
			return true
		})
		for what, err := range banktest.Calls(t.Context(), b) {
			if err == nil || karbor.KindOf(err) != test.kind || karbor.IsTransient(err) != test.transient || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s after %d: %v of kind %v", what, test.status, err, karbor.KindOf(err))
			}
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, "token1") || strings.Contains(text, credentialSecret) {
				t.Errorf("%s tells a secret: %v", what, err)
			}
		}
	}
}

func TestWhatSwiftHasIsComparedWithWhatWasSent(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 20<<16)
	for name, body := range map[string]func() io.Reader{
		"in memory": func() io.Reader { return strings.NewReader("text") },
		"a stream":  func() io.Reader { return io.MultiReader(strings.NewReader(big)) },
	} {
		f := newFake(t)
		b := openBank(t, f.keystone.URL, "karbor", nil)
		f.wrongEtag = true
		size := int64(len(big))
		if name == "in memory" {
			size = 4
		}
		if err := b.Put(t.Context(), "a", body(), size); !karbor.IsTransient(err) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.Stat(t.Context(), "a"); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%s: what is damaged is there: %v", name, err)
		}
	}
}

func TestDamageOnTheWayIsRefusedBySwift(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.keystone.URL, "karbor", nil)
	f.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			r.Body = io.NopCloser(strings.NewReader("tex!"))
		}
		return false
	})
	if err := b.Put(t.Context(), "a", strings.NewReader("text"), 4); !karbor.IsTransient(err) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

func TestTokenThatEndsIsRenewed(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.keystone.URL, "karbor", nil)
	banktest.Store(t, b, "a", "one")
	f.mu.Lock()
	f.token = "token2"
	f.mu.Unlock()
	banktest.Store(t, b, "a", "two")
	if got := banktest.Load(t, b, "a"); got != "two" || f.keystone.logins != 2 {
		t.Errorf("holds %q after %d logins", got, f.keystone.logins)
	}
	f.mu.Lock()
	f.token = "token3"
	f.mu.Unlock()
	f.keystone.refuse = true
	// What Keystone says of the bank's credentials is no affair of the tenant's.
	if err := b.Put(t.Context(), "a", strings.NewReader("x"), 1); karbor.KindOf(err) != karbor.Unavailable {
		t.Errorf("with a refused login: %v", err)
	}
}

func TestReadGoesOnWhereItBroke(t *testing.T) {
	f := newFake(t)
	inner := openBank(t, f.keystone.URL, "karbor", nil)
	retry := wrap.Options{Retry: wrap.RetryOptions{Attempts: 3, FirstPause: time.Millisecond, LongestPause: time.Millisecond}}
	b := retry.Around(inner)
	content := strings.Repeat("0123456789", 50_000)
	banktest.Store(t, b, "a", content)
	sum := f.containers["karbor"]["a!"]
	etag := fmt.Sprintf("%q", md5Of(sum.data))
	var cuts atomic.Int64
	f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || cuts.Add(1) > 3 {
			return false
		}
		var from int
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-from))
		w.Header().Set("Etag", etag)
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = io.WriteString(w, content[from:from+100_000])
		return true
	})
	if got := banktest.Load(t, b, "a"); got != content {
		t.Errorf("%d bytes come", len(got))
	}
	cuts.Store(0)
	body, err := inner.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if _, err := io.ReadAll(body); !karbor.IsTransient(err) {
		t.Errorf("a cut body ends with %v", err)
	}
	banktest.Store(t, inner, "a", "replaced")
	resumer, ok := body.(wrap.Resumer)
	if !ok {
		t.Fatal("the body can't be resumed")
	}
	cuts.Store(10)
	if _, err := resumer.Resume(t.Context(), 4); err == nil || karbor.IsTransient(err) {
		t.Errorf("resuming a replaced object gives %v", err)
	}
}

func TestTransferWithoutProgressEnds(t *testing.T) {
	f := newFake(t)
	b := openBank(t, f.keystone.URL, "karbor", func(o *swift.Options) { o.IdleTimeout = time.Second })
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.setHook(func(http.ResponseWriter, *http.Request) bool {
		<-release
		return true
	})
	if err := b.Put(t.Context(), "b", strings.NewReader("x"), 1); !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestObjectThatIsTooLargeIsRefusedWithItsLimit(t *testing.T) {
	f := newFake(t)
	f.maxSize = 100
	b := openBank(t, f.keystone.URL, "karbor", nil)
	err := b.Put(t.Context(), "a", strings.NewReader(strings.Repeat("x", 101)), 101)
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "101 bytes is larger than the bank takes, 100") {
		t.Errorf("got %v", err)
	}
	banktest.Store(t, b, "a", strings.Repeat("x", 100))
}

func TestContainersThatCannotServeAreRefused(t *testing.T) {
	f := newFake(t)
	o := options(t, f.keystone.URL, "other")
	o.CreateContainer = false
	if _, err := swift.Open(t.Context(), o, swift.Host{Now: time.Now}); karbor.KindOf(err) != karbor.Unavailable || !strings.Contains(err.Error(), "not there") {
		t.Errorf("a missing container: %v", err)
	}
	f.header.Set("X-Versions-Enabled", "True")
	o.CreateContainer = true
	if _, err := swift.Open(t.Context(), o, swift.Host{Now: time.Now}); karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "old versions") {
		t.Errorf("one with versions: %v", err)
	}
}

func TestProbeLeavesNothingAndPromisesNothing(t *testing.T) {
	f := newFake(t)
	f.header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	b := openBank(t, f.keystone.URL, "karbor", nil)
	traits := b.Traits()
	if ahead := traits.ClockAhead; ahead < time.Hour-3*time.Second || ahead > time.Hour {
		t.Errorf("the clock is said to be ahead by %v", ahead)
	}
	traits.ClockAhead = 0
	if traits != (bank.Traits{}) || len(f.containers["karbor"]) != 0 {
		t.Errorf("promises %+v, leaves %v", traits, f.containers["karbor"])
	}
}

func TestOptionsAreStrict(t *testing.T) {
	f := newFake(t)
	secret, password := secretFile(t, credentialSecret), secretFile(t, userPassword)
	good := "container: karbor\ncreate_container: true\ncredentials: {application_credential: {auth_url: " + f.keystone.URL + ", id: i, secret_file: " + secret + "}}\n"
	byPassword := "container: karbor\ncredentials: {password: {auth_url: " + f.keystone.URL + ", username: u, project: p, password_file: " + password + "}}\n"
	for _, test := range []struct{ text, want string }{
		{good, ""},
		{byPassword, ""},
		{"container: karbor\ncredentials: {service: true}\n", ""},
		{good + "prefix: a/b\nregion: RegionOne\ninterface: public\nretry: {attempts: 1}\nlimit: {concurrent_reads: 3}\n", ""},
		{good + "nonsense: 1\n", "nonsense"},
		{good + "prefix: a//b\n", "prefix"},
		{good + "interface: odd\n", "interface"},
		{good + "idle_timeout: 1ns\n", "idle_timeout"},
		{good + "ca_file: /does/not/exist\n", "ca_file"},
		{good + "layout_0_9: true\n", "layout_0_9"},
		{good + "retry: {attempts: 0}\n", "retry"},
		{strings.Replace(good, "container: karbor", "container: a/b", 1), "container"},
		{strings.Replace(good, secret, secret+"x", 1), "reading a secret"},
		{strings.Replace(good, "id: i, ", "", 1), "are needed"},
		{strings.Replace(byPassword, "username: u, ", "", 1), "are needed"},
		{strings.Replace(good, "{application", "{service: true, application", 1), "exactly one"},
		{"container: karbor\n", "exactly one"},
	} {
		doc, err := parser.ParseBytes([]byte(test.text), 0)
		if err != nil {
			t.Fatal(err)
		}
		own := func() (openstack.Options, error) {
			return openstack.Options{AuthURL: f.keystone.URL, Username: "karbor", Password: userPassword, Project: "service"}, nil
		}
		b, err := swift.Plugin(swift.Host{Now: time.Now, Cloud: own}).Open(t.Context(), doc.Docs[0].Body)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.text, err, test.want)
		}
		if err == nil {
			_ = b.Close()
		}
	}
	o := options(t, f.keystone.URL, "karbor")
	o.Credentials = swift.Credentials{Service: true}
	if _, err := swift.Open(t.Context(), o, swift.Host{Now: time.Now}); karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "no service user") {
		t.Errorf("without a service user: %v", err)
	}
}

func TestBankOfPythonKarborIsRead(t *testing.T) {
	f := newFake(t)
	f.containers["karbor"] = map[string]object{"/checkpoints/c/index.json": {data: []byte("{}"), at: time.Now()}}
	b := openBank(t, f.keystone.URL, "karbor", func(o *swift.Options) { o.Layout09, o.ReadOnly, o.CreateContainer = true, true, false })
	infos, err := b.List(t.Context(), "checkpoints/", "", 10)
	if err != nil || len(infos) != 1 || banktest.Load(t, b, infos[0].Key) != "{}" {
		t.Errorf("lists %v, %v", infos, err)
	}
}
