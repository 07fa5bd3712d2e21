package pod_test

import (
	"os"
	"testing"

	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
)

func TestMain(m *testing.M) { os.Exit(cloudtest.Main(m)) }
