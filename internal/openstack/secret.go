package openstack

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// maxPayload is the most bytes of a secret that are read.
const maxPayload = 64 << 10

// Payload gives what a secret of Barbican holds, as Karbor's service user reads it. Of the
// secret's URL only the id counts, its last part: it is asked for where the cloud's
// catalogue says, so that no token goes anywhere else. A secret that is not there, or that
// the service user may not read, is karbor.Unavailable.
func (a *Authority) Payload(ctx context.Context, url string) ([]byte, error) {
	id := path.Base(url)
	if !karbor.IsUUID(id) {
		return nil, karbor.Errorf(karbor.Invalid, "%q is not the URL of a secret", url)
	}
	client, err := KeyManager(ctx, a.service)
	if err != nil {
		return nil, err
	}
	answer, err := client.Get(ctx, client.ServiceURL("secrets", id, "payload"), nil, &gophercloud.RequestOpts{
		MoreHeaders: map[string]string{"Accept": "application/octet-stream"},
		OkCodes:     []int{http.StatusOK}, KeepResponseBody: true,
	})
	if err != nil {
		err = explain(err, "reading the secret %s", id)
		if karbor.IsTransient(err) {
			return nil, err
		}
		// For whoever reads it, it is no request of theirs that was wrong.
		return nil, &karbor.Error{Kind: karbor.Unavailable, Message: karbor.Sentence(err), Cause: err}
	}
	payload, err := io.ReadAll(io.LimitReader(answer.Body, maxPayload+1))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, explain(err, "reading the secret %s", id)
	}
	if len(payload) > maxPayload {
		return nil, karbor.Errorf(karbor.Unavailable, "the secret %s has more than %d bytes", id, maxPayload)
	}
	return payload, nil
}
