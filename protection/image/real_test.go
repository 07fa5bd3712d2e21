//go:build openstack

package image_test

import (
	"testing"

	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackImageComesBack(t *testing.T) {
	protectiontest.Life(t, caseOf(t, protectiontest.RealTenant(t), false, repositorytest.Kinds()["repository/1"]))
}
