package openstack

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/karbor/karbor"
)

// TrustsUntil gives the trusts by which Karbor's service user may act for a user in a
// project and that end at a time, to the second.
func (a *Authority) TrustsUntil(ctx context.Context, userID, projectID string, end time.Time) ([]Delegation, error) {
	own, err := a.service.grant(ctx)
	if err != nil {
		return nil, explain(err, "listing the trusts of the service user")
	}
	var out struct {
		Trusts []struct {
			ID        string     `json:"id"`
			TrustorID string     `json:"trustor_user_id"`
			TrusteeID string     `json:"trustee_user_id"`
			ProjectID string     `json:"project_id"`
			ExpiresAt *time.Time `json:"expires_at"`
		} `json:"trusts"`
	}
	path := "/OS-TRUST/trusts?trustee_user_id=" + url.QueryEscape(own.userID)
	for tries := 0; ; tries++ {
		_, err = a.site.call(ctx, http.MethodGet, path, own.token, nil, nil, &out, http.StatusOK)
		if karbor.KindOf(err) != karbor.Unauthorized || err == nil || tries > 0 {
			break
		}
		if own, err = a.service.grants.renew(ctx, own); err != nil {
			break
		}
	}
	if err != nil {
		return nil, explain(err, "listing the trusts of the service user")
	}
	var found []Delegation
	for _, t := range out.Trusts {
		if t.TrustorID == userID && t.TrusteeID == own.userID && t.ProjectID == projectID && t.ExpiresAt != nil &&
			t.ExpiresAt.Truncate(time.Second).Equal(end.Truncate(time.Second)) {
			found = append(found, Delegation{TrustID: t.ID, ProjectID: projectID, UserID: userID, ExpiresAt: t.ExpiresAt.UTC()})
		}
	}
	return found, nil
}
