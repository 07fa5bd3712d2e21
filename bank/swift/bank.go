package swift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/remote"
	"github.com/karbor/karbor/internal/openstack"
)

// Bank is a bank in a container. See bank.Bank.
type Bank struct {
	session *session
	client  *gophercloud.ServiceClient
	// container is its URL, with a slash at its end.
	container string
	names     bank.ObjectNames
	traits    bank.Traits
	limits    limits
	// conditional says that a write with If-None-Match is refused where there is an
	// object.
	conditional bool
}

// limits are those of the cluster.
type limits struct {
	// object is the largest object, in bytes; list the longest listing.
	object int64
	list   int
}

// defaultLimits are those of Swift where it tells none.
func defaultLimits() limits { return limits{object: 5<<30 + 2, list: bank.MaxList} }

// Open opens the bank, makes its container if the options say so, and learns what the
// cluster is like. The error is karbor.Invalid where the options ask for what can't
// be.
func Open(ctx context.Context, o Options, h Host) (*Bank, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s, err := openSession(ctx, o, h)
	if err != nil {
		return nil, err
	}
	b := &Bank{session: s, limits: defaultLimits()}
	b.names.Layout09 = o.Layout09
	if o.Prefix != "" {
		b.names.Prefix = o.Prefix + "/"
	}
	if err := b.prepare(ctx, o, h); err != nil {
		s.close()
		return nil, err
	}
	return b, nil
}

func (b *Bank) prepare(ctx context.Context, o Options, h Host) error {
	client, err := openstack.ObjectStorage(ctx, b.session.cloud)
	if err != nil {
		return explain(ctx, "looking for the bank's store", err)
	}
	b.client = client
	b.container = client.Endpoint + o.Container + "/"
	header, err := b.ask(ctx)
	if is(err, karbor.NotFound) && o.CreateContainer {
		_, err = client.Put(ctx, b.containerURL(), nil, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusCreated, http.StatusAccepted}})
		if err = explain(ctx, "making the bank's container", err); err == nil {
			header, err = b.ask(ctx)
		}
	}
	if is(err, karbor.NotFound) {
		return karbor.Errorf(karbor.Unavailable, "the bank's container is not there")
	}
	if err != nil {
		return err
	}
	for _, name := range []string{"X-Versions-Enabled", "X-Versions-Location", "X-History-Location"} {
		if v := header.Get(name); v != "" && v != "False" {
			return karbor.Errorf(karbor.Invalid, "the bank's container keeps old versions, whose space would never come back: turn that off")
		}
	}
	now, err := date(header)
	if err != nil {
		return err
	}
	b.traits.ClockAhead = now.Sub(h.Now()).Truncate(time.Second)
	if err := b.askLimits(ctx); err != nil || o.ReadOnly {
		return err
	}
	return b.probe(ctx)
}

// containerURL is that of the container itself.
func (b *Bank) containerURL() string { return b.container[:len(b.container)-1] }

// url is that of a key's object. No byte of it has to be escaped.
func (b *Bank) url(key string) string { return b.container + b.names.Name(key) }

// ask asks for the container.
func (b *Bank) ask(ctx context.Context) (http.Header, error) {
	resp, err := b.client.Head(ctx, b.containerURL(), &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusNoContent}})
	if err != nil {
		return nil, explain(ctx, "asking for the bank's container", err)
	}
	return resp.Header, nil
}

// date reads the server's time.
func date(h http.Header) (time.Time, error) {
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}, karbor.Errorf(karbor.Unavailable, "the bank does not tell the time")
	}
	return now, nil
}

// askLimits asks for the cluster's limits. One that tells none has Swift's own.
func (b *Bank) askLimits(ctx context.Context) error {
	u, err := url.Parse(b.client.Endpoint)
	if err != nil {
		return karbor.Errorf(karbor.Unavailable, "the address of the bank's store is no URL")
	}
	info := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/info"}
	var out struct {
		Swift struct {
			MaxFileSize  int64 `json:"max_file_size"`
			ListingLimit int   `json:"container_listing_limit"`
		} `json:"swift"`
	}
	_, err = b.client.Get(ctx, info.String(), &out, nil)
	if _, answered := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err); err != nil && !answered {
		if err = explain(ctx, "asking for the limits of the bank's store", err); ctx.Err() != nil || karbor.IsTransient(err) {
			return err
		}
	}
	if err == nil && out.Swift.MaxFileSize > 0 {
		b.limits.object = out.Swift.MaxFileSize
	}
	if err == nil && out.Swift.ListingLimit > 0 {
		b.limits.list = min(bank.MaxList, out.Swift.ListingLimit)
	}
	return nil
}

// probe tries whether an object that is there is kept from being created again.
func (b *Bank) probe(ctx context.Context) error {
	at := b.container + b.names.Prefix + "=probe/" + karbor.NewID()
	put := func() error {
		_, err := b.client.Put(ctx, at, nil, nil, &gophercloud.RequestOpts{
			RawBody: bytes.NewReader([]byte{'x'}), MoreHeaders: map[string]string{"If-None-Match": "*"}, OkCodes: []int{http.StatusCreated},
		})
		return explain(ctx, "trying what the bank's store guarantees", err)
	}
	if err := put(); err != nil {
		return err
	}
	err := put()
	if b.conditional = is(err, karbor.Conflict); b.conditional {
		err = nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	return errors.Join(err, b.remove(clean, at, "what was written to try it"))
}

// Now implements bank.Bank: the Date of an answer, in whole seconds.
func (b *Bank) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	header, err := b.ask(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return date(header)
}

// Stat implements bank.Bank.
func (b *Bank) Stat(ctx context.Context, key string) (bank.Info, error) {
	if err := remote.Ready(ctx, key); err != nil {
		return bank.Info{}, err
	}
	resp, err := b.client.Head(ctx, b.url(key), &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusNoContent}})
	if err != nil {
		return bank.Info{}, explain(ctx, "looking at "+key, err)
	}
	modTime, err := modTime(resp.Header)
	if err != nil {
		return bank.Info{}, fmt.Errorf("looking at %s: %w", key, err)
	}
	return bank.Info{Key: key, Size: resp.ContentLength, ModTime: modTime}, nil
}

// modTime gives when an object was written: X-Timestamp is exact, Last-Modified is
// rounded up to seconds.
func modTime(h http.Header) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(h.Get("X-Timestamp"), 64); err == nil && seconds > 0 && seconds < 1e11 {
		return time.UnixMicro(int64(seconds * 1e6)), nil
	}
	at, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return time.Time{}, karbor.Errorf(karbor.Unavailable, "the bank does not tell when it was written")
	}
	return at, nil
}

// Delete implements bank.Bank.
func (b *Bank) Delete(ctx context.Context, key string) error {
	if err := remote.Ready(ctx, key); err != nil {
		return err
	}
	return b.remove(ctx, b.url(key), key)
}

// remove removes an object. One that is not there is no error.
func (b *Bank) remove(ctx context.Context, at, key string) error {
	_, err := b.client.Delete(ctx, at, &gophercloud.RequestOpts{OkCodes: []int{http.StatusNoContent, http.StatusOK}})
	if err = explain(ctx, "removing "+key, err); is(err, karbor.NotFound) {
		return nil
	}
	return err
}

// Traits implements bank.Bank.
func (b *Bank) Traits() bank.Traits { return b.traits }

// Close implements bank.Bank.
func (b *Bank) Close() error {
	b.session.close()
	return nil
}
