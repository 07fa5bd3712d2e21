package janitor

import (
	"context"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/openstack"
)

// databases lists the database instances of all projects that restores have not finished: of one
// installation, or of any for "". Trove can't look for a part of a name: all there are pass by.
func (a administration) databases(ctx context.Context, installation string) ([]Thing, error) {
	client, err := openstack.Database(ctx, a.session)
	if err != nil {
		return nil, err
	}
	wanted := func(i *database.Instance) bool {
		t := ofDatabase(i)
		return t.Restoring() && (installation == "" || t.Installation() == installation)
	}
	all, err := database.ListAll(ctx, client, wanted)
	if karbor.KindOf(err) == karbor.Forbidden {
		all, err = database.List(ctx, client, a.session) // it is no administrator's
	}
	var things []Thing
	for i := range all {
		if wanted(&all[i]) {
			things = append(things, ofDatabase(&all[i]))
		}
	}
	return things, err
}

// database reads one database instance.
func (a administration) database(ctx context.Context, id string) (Thing, error) {
	client, err := openstack.Database(ctx, a.session)
	if err != nil {
		return Thing{}, err
	}
	i, err := database.GetAny(ctx, client, id)
	if err != nil {
		return Thing{}, err
	}
	return ofDatabase(i), nil
}

func (a administration) removeDatabase(ctx context.Context, id string) error {
	client, err := openstack.Database(ctx, a.session)
	if err != nil {
		return err
	}
	_, err = client.Delete(ctx, client.ServiceURL("instances", id), //nolint:bodyclose // gophercloud has closed it
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted, http.StatusNoContent}})
	if openstack.IsNotFound(err) {
		return nil
	}
	return openstack.Explain(err, "deleting database instance %s", id)
}

func ofDatabase(i *database.Instance) Thing {
	t := Thing{Kind: Database, ID: i.ID, Name: i.Name, ProjectID: i.ProjectID, Status: i.Status, CreatedAt: i.CreatedAt(), Tags: restoringTags(i.Name)}
	switch {
	case len(i.Replicas) > 0:
		t.Used = "it has replicas"
	case i.ClusterID != "":
		t.Used = "it is of a cluster"
	}
	return t
}
