package collection

import (
	"errors"
	"slices"

	"github.com/karbor/karbor/internal/repository/format"
)

// asked is a page that is walked through just now, or could not be.
type asked struct {
	// manifests are those that name it, until the walk is over.
	manifests []string
	err       error
}

// ask reports whether a page is to be walked through for a manifest. It is not if it was, or is
// being so for another one: what becomes of that holds for both.
func (w *walker) ask(page format.ID, manifest string) bool {
	if w.marks.walked(page) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch a := w.asked[page]; {
	case a == nil && w.marks.walked(page):
		return false // just now
	case a == nil:
		w.asked[page] = &asked{manifests: []string{manifest}}
		return true
	case a.err != nil:
		w.hurt(manifest, a.err)
	default:
		a.manifests = append(a.manifests, manifest)
	}
	return false
}

// answer says what became of the walk through a page. Damage hurts all who asked; any other
// error ends the whole walk.
func (w *walker) answer(page format.ID, err error) error {
	if err != nil && !isDamage(err) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.asked[page]
	if err == nil {
		w.marks.walk(page)
		delete(w.asked, page)
		return nil
	}
	for _, manifest := range a.manifests {
		w.hurt(manifest, err)
	}
	a.manifests, a.err = nil, err
	return nil
}

// stumbled notes damage; any other error ends the walk.
func (w *walker) stumbled(manifest string, err error) error {
	if !isDamage(err) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurt(manifest, err)
	return nil
}

// hurt notes the damage of a stream: one fault of it is enough. Those that are given up do not
// take the others' room. Its caller holds mu.
func (w *walker) hurt(manifest string, err error) {
	list := &w.damaged
	if _, forced := w.forced[manifest]; forced {
		list = &w.givenUp
	}
	if len(*list) < MaxDamaged && !tells(*list, manifest) {
		*list = append(*list, Damage{manifest, err})
	}
}

func tells(list []Damage, manifest string) bool {
	return slices.ContainsFunc(list, func(d Damage) bool { return d.Manifest == manifest })
}

func isDamage(err error) bool {
	_, damaged := errors.AsType[*format.DamageError](err)
	return damaged
}

// stumbles puts what was damaged into the result, and gives what stops the collection.
func (w *walker) stumbles() error {
	for _, d := range slices.Concat(w.damaged, w.givenUp) {
		if len(w.result.Damaged) < MaxDamaged && !tells(w.result.Damaged, d.Manifest) {
			w.result.Damaged = append(w.result.Damaged, d)
		}
	}
	if len(w.damaged) > 0 {
		return &DamageError{Damaged: w.damaged}
	}
	return nil
}
