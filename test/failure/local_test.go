//go:build !temporal

package failure

import (
	"testing"
	"time"

	"github.com/karbor/karbor/internal/config"
)

const (
	// patience bounds what a test waits for; it never decides what is right.
	patience = 2 * time.Minute * slowness
	// takeOver is how long what a process did may lie still after its death.
	takeOver = 0
	// parallel is how many sites there are at a time.
	parallel = "8"
)

func withEngine(m *testing.M) int { return m.Run() }

func newEngine(*testing.T) config.Engine { return config.Default().Engine }
