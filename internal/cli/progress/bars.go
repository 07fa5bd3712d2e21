package progress

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

const barWidth = 40

// bars draws one bar for each resource.
type bars struct {
	container *mpb.Progress
	byKey     map[string]*bar
}

type bar struct {
	*mpb.Bar
	state atomic.Pointer[string]
}

func newBars(w io.Writer) *bars {
	return &bars{
		container: mpb.New(mpb.WithOutput(w), mpb.WithWidth(barWidth), mpb.WithAutoRefresh()),
		byKey:     map[string]*bar{},
	}
}

// Update implements Display.
func (b *bars) Update(progress []client.Progress) {
	for _, p := range progress {
		one := b.byKey[key(p)]
		if one == nil {
			one = b.add(p)
		}
		text := state(p)
		one.state.Store(&text)
		if one.Completed() {
			continue
		}
		total := max(p.BytesTotal, p.BytesDone, 1)
		switch {
		case p.State == karbor.ResourceError:
			one.Abort(false)
		case over(p):
			one.SetCurrent(total)
			one.SetTotal(total, true)
		default:
			// A bar that reaches its total is over for mpb; a resource is not.
			one.SetTotal(total+1, false)
			one.SetCurrent(p.BytesDone)
		}
	}
}

func (b *bars) add(p client.Progress) *bar {
	one := &bar{}
	empty := ""
	one.state.Store(&empty)
	one.Bar = b.container.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.PrependDecorators(decor.Name(title(p), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + *one.state.Load() })))
	b.byKey[key(p)] = one
	return one
}

// Close implements Display.
func (b *bars) Close() {
	for _, one := range b.byKey {
		if !one.Completed() {
			one.Abort(false)
		}
	}
	b.container.Wait()
}
