package flow

import "github.com/karbor/karbor/protection"

// phase is one of the four hooks, in their order.
type phase int

const (
	prepareBegin phase = iota
	prepareFinish
	mainPhase
	complete
	phases
)

// Main is the word of the phase that moves the data, Complete that of the one behind it.
const (
	Main     = "main"
	Complete = "complete"
)

// phaseNames are the words of steps, logs and progress.
var phaseNames = [phases]string{"prepare_begin", "prepare_finish", Main, Complete}

func hookOf(h protection.Hooks, p phase) protection.Hook {
	return [phases]protection.Hook{h.PrepareBegin, h.PrepareFinish, h.Main, h.Complete}[p]
}

// Find gives the hook of a word that NodeOf has given, nil if there is none, and whether
// it is the last one of its resource.
func Find(h protection.Hooks, word string) (hook protection.Hook, last bool) {
	for p := range phases {
		if one := hookOf(h, p); one != nil {
			if last = phaseNames[p] == word; last {
				hook = one
			}
		}
	}
	return hook, last
}

// Idle reports whether a plug-in has nothing to do for a resource.
func Idle(h protection.Hooks) bool {
	return h.PrepareBegin == nil && h.PrepareFinish == nil && h.Main == nil && h.Complete == nil
}
