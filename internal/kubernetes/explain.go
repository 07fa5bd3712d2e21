package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"github.com/gophercloud/gophercloud/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// explain turns an error of the client into one of Karbor's, as openstack.Explain does:
// the cluster's answers have the same codes.
func explain(ctx context.Context, err error, format string, args ...any) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &karbor.Error{Kind: karbor.Unavailable, Message: fmt.Sprintf(format, args...) + ": the cluster did not answer in time", Transient: true}
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code == 0 {
		return openstack.Explain(err, format, args...)
	}
	said := status.Status()
	if said.Code == http.StatusUnauthorized {
		return karbor.Errorf(karbor.Forbidden, "the cluster does not accept the credentials of the kubeconfig")
	}
	body, failed := json.Marshal(map[string]string{"message": said.Message})
	if failed != nil {
		body = nil
	}
	return openstack.Explain(gophercloud.ErrUnexpectedResponseCode{Actual: int(said.Code), Body: body}, format, args...)
}

// IsTaken reports whether an error says that there is already a thing of the name.
func IsTaken(err error) bool {
	_, taken := errors.AsType[*takenError](err)
	return taken || apierrors.IsAlreadyExists(err)
}

// quiet keeps client-go from writing to standard error of its own accord.
func quiet(ctx context.Context) context.Context { return logr.NewContext(ctx, logr.Discard()) }
