package local

import "slices"

// pool is a number of places for running steps. Operations with waiting steps
// take turns, so that a large one does not keep a small one waiting.
type pool struct {
	limit, used int
	turns       []*operation
	waiting     map[*operation][]int
}

func newPool(limit int) *pool {
	return &pool{limit: limit, waiting: map[*operation][]int{}}
}

// add queues a step.
func (p *pool) add(o *operation, position int) {
	if len(p.waiting[o]) == 0 {
		p.turns = append(p.turns, o)
	}
	p.waiting[o] = append(p.waiting[o], position)
}

// next takes a place for the step whose turn it is, if there is one of each.
func (p *pool) next() (o *operation, position int, ok bool) {
	if p.used >= p.limit || len(p.turns) == 0 {
		return nil, 0, false
	}
	o, p.turns = p.turns[0], p.turns[1:]
	queue := p.waiting[o]
	if len(queue) == 1 {
		delete(p.waiting, o)
	} else {
		p.waiting[o] = queue[1:]
		p.turns = append(p.turns, o)
	}
	p.used++
	return o, queue[0], true
}

// drop forgets an operation's waiting steps.
func (p *pool) drop(o *operation) {
	if len(p.waiting[o]) > 0 {
		delete(p.waiting, o)
		p.turns = slices.DeleteFunc(p.turns, func(other *operation) bool { return other == o })
	}
}

// before gives how many steps get a place before those of an operation that wait, by
// their positions.
func (p *pool) before(o *operation) map[int]int {
	turn := slices.Index(p.turns, o)
	if turn < 0 {
		return nil
	}
	out := make(map[int]int, len(p.waiting[o]))
	for round, position := range p.waiting[o] {
		n := round // its own
		for i, other := range p.turns {
			// Who has the turn before it has had one more of them.
			if had := round + 1; i < turn {
				n += min(len(p.waiting[other]), had)
			} else if i > turn {
				n += min(len(p.waiting[other]), round)
			}
		}
		out[position] = n
	}
	return out
}

func (p *pool) idle() bool { return p.used == 0 && len(p.turns) == 0 }
