package local

import "testing"

func TestAPoolTellsHowManyStepsAreBeforeOne(t *testing.T) {
	p := newPool(1)
	a, b, c := &operation{}, &operation{}, &operation{}
	for i := range 3 {
		p.add(a, i)
	}
	p.add(b, 0)
	for i := range 2 {
		p.add(c, i)
	}
	type place struct {
		o        *operation
		position int
	}
	told := map[place]int{}
	for _, o := range []*operation{a, b, c} {
		for position, n := range p.before(o) {
			told[place{o, position}] = n
		}
	}
	for n := range 6 {
		o, position, ok := p.next()
		if !ok {
			t.Fatalf("step %d gets no place", n)
		}
		if got := told[place{o, position}]; got != n {
			t.Errorf("position %d was told that %d are before it, and it was %d", position, got, n)
		}
		p.used--
	}
	if got := p.before(a); got != nil {
		t.Errorf("where nothing waits, %v is told", got)
	}
}
