package protection

import (
	"context"
	"time"
)

// giveUpTime is how long a hook that has failed removes what it has written.
const giveUpTime = 5 * time.Minute

// GiveUp aborts a writer for a hook that has failed, even if ctx has ended, but for no
// longer than five minutes: a hook that was told to return must do so. What stays is
// taken over by the next Create, or goes with the checkpoint.
func GiveUp(ctx context.Context, w Writer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTime)
	defer cancel()
	return w.Abort(ctx)
}
