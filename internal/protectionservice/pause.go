package protectionservice

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// pause waits between two stages. After a crash it begins anew: a pause that is too long
// does less harm than one that is too short.
func (s *Service) pause(ctx context.Context, task *workflow.Task) error {
	seconds, err := strconv.ParseInt(task.Input, 10, 64)
	if err != nil {
		return fmt.Errorf("reading the pause of step %s: %w", task.Step, err)
	}
	if seconds == 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
