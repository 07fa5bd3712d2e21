package protectionservice

// bell tells a loop that there is something to do; it holds at most one call.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) call() {
	select {
	case b <- struct{}{}:
	default:
	}
}
