package openstack_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// scratch is a scratch record in memory.
type scratch struct{ text []byte }

func (s *scratch) Load(_ context.Context, v any) error {
	if s.text == nil {
		return nil
	}
	return json.Unmarshal(s.text, v)
}

func (s *scratch) Save(_ context.Context, v any) (err error) {
	s.text, err = json.Marshal(v)
	return err
}

func making(s *scratch) *protection.Call {
	return &protection.Call{Intents: protection.NewIntents(s, time.Now, 30*time.Second)}
}

func pending(t *testing.T, s *scratch) int {
	t.Helper()
	names, err := making(s).Intents.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func nothing(context.Context) (string, error) { return "", nil }

// forgetful is a scratch record that keeps nothing.
type forgetful struct{ scratch }

func (*forgetful) Save(context.Context, any) error {
	return karbor.Transientf("the database is away")
}

// A process that dies while the cloud is asked leaves nothing else of what it asked for.
func TestWhoAsksTheCloudHasNotedItInTheRecordBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, asked := &scratch{}, 0
		for _, want := range []error{errors.New("the connection broke"), nil} {
			_, err := openstack.Make(t.Context(), making(kept), "snapshot", nothing, func(context.Context) (string, error) {
				asked++
				// As the next process reads it: the settling time begins anew each time that the cloud is asked.
				left, err := making(kept).Intents.Unsettled(t.Context(), "snapshot")
				if err != nil || left != 30*time.Second {
					t.Errorf("asked for the %d. time: the cloud may take %v still, %v", asked, left, err)
				}
				return "s", want
			})
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if asked != 2 {
			t.Errorf("the cloud was asked %d times", asked)
		}
	})
}

func TestTheCloudIsNotAskedForWhatCanNotBeNoted(t *testing.T) {
	call := &protection.Call{Intents: protection.NewIntents(&forgetful{}, time.Now, 30*time.Second)}
	_, err := openstack.Make(t.Context(), call, "snapshot", nothing, func(context.Context) (string, error) {
		t.Error("it was asked")
		return "s", nil
	})
	if !karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestCreateOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		kept := &scratch{}
		id, err := openstack.Make(ctx, making(kept), "snapshot", nothing, func(ctx context.Context) (string, error) {
			cancel()
			time.Sleep(700 * time.Millisecond) // the cloud answers late
			return "s", ctx.Err()
		})
		if id != "s" || err != nil || pending(t, kept) != 0 {
			t.Errorf("got %q, %v, and %d intents", id, err, pending(t, kept))
		}
		id, err = openstack.Make(ctx, making(kept), "snapshot", nothing, func(context.Context) (string, error) {
			t.Error("it was asked for although the caller is to stop")
			return "", nil
		})
		if id != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("got %q, %v", id, err)
		}
	})
}

func TestCreateThatIsNeverAnsweredEnds(t *testing.T) {
	for name, test := range map[string]struct {
		stopped bool
		limit   time.Duration
	}{"when its caller is to stop": {true, 21 * time.Second}, "by itself": {false, 91 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				kept, begun := &scratch{}, time.Now()
				_, err := openstack.Make(ctx, making(kept), "snapshot", nothing, func(ctx context.Context) (string, error) {
					if test.stopped {
						cancel()
					}
					<-ctx.Done()
					return "", ctx.Err()
				})
				if took := time.Since(begun); err == nil || took > test.limit || pending(t, kept) != 1 {
					t.Errorf("after %v: %v, and %d intents", took, err, pending(t, kept))
				}
			})
		})
	}
}

func TestWhatTheCloudMadeBelatedlyIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &scratch{}
		lost := func(context.Context) (string, error) { return "", errors.New("the connection broke") }
		if _, err := openstack.Make(t.Context(), making(kept), "snapshot", nothing, lost); err == nil {
			t.Fatal("the lost answer is no error")
		}
		made := time.Now().Add(20 * time.Second)
		find := func(context.Context) (string, error) {
			if time.Now().Before(made) {
				return "", nil
			}
			return "s", nil
		}
		id, err := openstack.Make(t.Context(), making(kept), "snapshot", find, func(context.Context) (string, error) {
			t.Error("it was asked for again")
			return "", nil
		})
		if id != "s" || err != nil {
			t.Errorf("got %q, %v", id, err)
		}
	})
}

func TestWhatTheCloudNeverMadeIsAskedForAgainAfterTheSettlingTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, begun := &scratch{}, time.Now()
		if err := making(kept).Intents.Begin(t.Context(), "snapshot"); err != nil {
			t.Fatal(err)
		}
		id, err := openstack.Make(t.Context(), making(kept), "snapshot", nothing, func(context.Context) (string, error) {
			if since := time.Since(begun); since < 30*time.Second || since > 35*time.Second {
				t.Errorf("it was asked for again after %v", since)
			}
			return "s", nil
		})
		if id != "s" || err != nil {
			t.Errorf("got %q, %v", id, err)
		}
	})
}

func TestOnlyARefusalIsAnAnswer(t *testing.T) {
	answer := func(status int) error { return gophercloud.ErrUnexpectedResponseCode{Actual: status} }
	for name, test := range map[string]struct {
		err  error
		open int
	}{
		"400":               {answer(http.StatusBadRequest), 0},
		"409, explained":    {openstack.Explain(answer(http.StatusConflict), "creating"), 0},
		"408":               {answer(http.StatusRequestTimeout), 1},
		"500":               {answer(http.StatusInternalServerError), 1},
		"504, explained":    {openstack.Explain(answer(http.StatusGatewayTimeout), "creating"), 1},
		"no connection":     {openstack.Explain(&net.OpError{Op: "dial", Err: errors.New("refused")}, "creating"), 0},
		"broken connection": {&net.OpError{Op: "read", Err: errors.New("reset")}, 1},
		"anything else":     {karbor.Errorf(karbor.Internal, "what"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			kept := &scratch{}
			_, err := openstack.Make(t.Context(), making(kept), "snapshot", nothing, func(context.Context) (string, error) { return "", test.err })
			if err == nil || pending(t, kept) != test.open {
				t.Errorf("got %v, and %d intents; want %d", err, pending(t, kept), test.open)
			}
		})
	}
}
