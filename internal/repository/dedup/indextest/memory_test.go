package indextest_test

import (
	"testing"

	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/dedup/indextest"
)

func TestMemory(t *testing.T) {
	indextest.Run(t, func(*testing.T) dedup.Index { return dedup.NewMemory() })
}
