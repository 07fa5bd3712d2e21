package janitor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shareaccessrules"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shares"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// shares lists the shares of all projects that restores have not finished: of one installation, or of
// any for "".
func (a administration) shares(ctx context.Context, installation string) ([]Thing, error) {
	client, err := openstack.SharedFileSystems(ctx, a.session)
	if err != nil {
		return nil, err
	}
	query := url.Values{"all_tenants": {"1"}, "sort_key": {"created_at"}, "sort_dir": {"asc"}}
	if installation != "" {
		query.Set("metadata", fmt.Sprintf("{'%s': '%s'}", protection.RestoringTag, installation))
	}
	var things []Thing
	kept, before := map[string]bool{}, map[string]bool{}
	for offset, pages := 0, 0; pages < maxSharePages; pages++ {
		query.Set("limit", strconv.Itoa(sharesPerPage))
		query.Set("offset", strconv.Itoa(offset))
		found, err := sharePage(ctx, client, query)
		if err != nil {
			return things, openstack.Explain(err, "listing the shares of all projects")
		}
		page, further := make(map[string]bool, len(found)), false
		for i := range found {
			id := found[i].ID
			page[id], further = true, further || !before[id]
			// A cloud that does not know the filter gives the others, too; one whose pages shift gives some twice.
			if t := ofShare(&found[i]); t.Restoring() && !kept[id] {
				kept[id] = true
				things = append(things, t)
			}
		}
		// Manila gives fewer than it is asked for only at the end, or where its operator has set a cap. A page that
		// has nothing but the one before it is of a cloud that does not heed the offset.
		if !further {
			return things, nil
		}
		before = page
		offset += len(found)
	}
	return things, karbor.Errorf(karbor.OverLimit, "the list of the shares of all projects is too long")
}

const (
	// sharesPerPage is how many shares are asked for at once.
	sharesPerPage = 500
	// maxSharePages bounds a walk through the list.
	maxSharePages = 2000
)

func sharePage(ctx context.Context, client *gophercloud.ServiceClient, query url.Values) ([]shares.Share, error) {
	var answer struct {
		Shares []shares.Share `json:"shares"`
	}
	_, err := client.Get(ctx, client.ServiceURL("shares", "detail")+"?"+query.Encode(), &answer, //nolint:bodyclose // gophercloud has closed it
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	return answer.Shares, err
}

// share reads one share. One that a restore has not finished counts as used where somebody may reach it.
func (a administration) share(ctx context.Context, id string) (Thing, error) {
	client, err := openstack.SharedFileSystems(ctx, a.session)
	if err != nil {
		return Thing{}, err
	}
	s, err := shares.Get(ctx, client, id).Extract()
	if err != nil {
		return Thing{}, openstack.Explain(err, "reading share %s", id)
	}
	t := ofShare(s)
	if !t.Restoring() || t.Used != "" {
		return t, nil
	}
	// The restore may have made the rules itself: they are its last step. Only the tenant knows.
	rules, err := shareaccessrules.List(ctx, client, id).Extract()
	if len(rules) > 0 {
		t.Used = "it has access rules, so that somebody may use it"
	}
	return t, openstack.Explain(err, "listing the access rules of share %s", id)
}

func (a administration) removeShare(ctx context.Context, id string) error {
	client, err := openstack.SharedFileSystems(ctx, a.session)
	if err != nil {
		return err
	}
	err = shares.Delete(ctx, client, id).ExtractErr()
	if openstack.IsNotFound(err) {
		return nil
	}
	return openstack.Explain(err, "deleting share %s", id)
}

func ofShare(s *shares.Share) Thing {
	t := Thing{Kind: Share, ID: s.ID, Name: s.Name, ProjectID: s.ProjectID, Status: s.Status, CreatedAt: s.CreatedAt, Tags: s.Metadata}
	if s.IsPublic {
		t.Used = "it is there for other projects"
	}
	return t
}
