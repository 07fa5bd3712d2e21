package delegation

import (
	"strconv"
	"testing"

	"github.com/karbor/karbor"
)

func TestSessionsOfOperationsAreBounded(t *testing.T) {
	for _, front := range []bool{false, true} {
		s := &Registry{front: front, sessions: map[string]karbor.Cloud{}}
		for i := range 3 * mostSessions / 2 {
			s.keepSession(strconv.Itoa(i), nil)
		}
		if n := len(s.sessions); n > mostSessions || front && n != 0 || !front && n == 0 {
			t.Errorf("with front %t there are %d sessions", front, n)
		}
	}
}
