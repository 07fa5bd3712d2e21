package openstack

import "context"

// Probe gets a new token through a delegation, and so finds out whether it still
// works. The error is karbor.Unauthorized if the delegation has ended or was revoked.
func (a *Authority) Probe(ctx context.Context, d Delegation) error {
	if err := d.check(); err != nil {
		return err
	}
	_, err := a.issueFor(ctx, d)
	return explain(err, "trying the delegation")
}
