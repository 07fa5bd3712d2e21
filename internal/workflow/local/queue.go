package local

import "slices"

// pageOf is the most operations of one share that wait in memory to be loaded. The others
// wait in the journal.
const pageOf = 64

// queue says which operation is loaded next. Shares take turns: the one with the fewest
// operations in memory is the next, so that one with many keeps no other waiting.
type queue struct {
	// most is Options.Loaded.
	most int
	// known are the shares of the operations in memory, in the queue, or on their way from
	// here to there.
	known map[string]string
	// loaded counts the operations in memory and on their way there, by their shares; total
	// is their sum.
	loaded map[string]int
	total  int
	// waiting are the oldest that wait of each share, more the shares of which the journal
	// may have others. turns are those with some that wait, who was served last at the end.
	waiting map[string][]string
	more    map[string]bool
	turns   []string
	// urgent are those that are to be cancelled.
	urgent []string
	// failed are those that could not be loaded, by their shares, until the next look.
	failed map[string]map[string]bool
}

func newQueue(most int) *queue {
	return &queue{
		most: most, known: map[string]string{}, loaded: map[string]int{}, waiting: map[string][]string{},
		more: map[string]bool{}, failed: map[string]map[string]bool{},
	}
}

// room reports whether one more operation of a share may be loaded: a share may have as
// many as there is room left for, so that there is always some for another one, and each may
// have one beyond that.
func (q *queue) room(share string) bool {
	n := q.loaded[share]
	return n == 0 && q.total < 2*q.most || n < q.most-q.total
}

// roomForUrgent reports whether one more operation may be loaded that is to be cancelled.
func (q *queue) roomForUrgent() bool { return q.total < q.most+q.most/2 }

// reserve counts a new operation as loaded, if it need not wait.
func (q *queue) reserve(id, share string) bool {
	if q.isKnown(id) || len(q.waiting[share]) > 0 || q.more[share] || !q.room(share) {
		return false
	}
	q.known[id] = share
	q.count(share, 1)
	return true
}

func (q *queue) isKnown(id string) bool {
	_, known := q.known[id]
	return known
}

// add has an operation wait that is in the journal. It goes behind those of its share.
func (q *queue) add(id, share string) {
	switch list := q.waiting[share]; {
	case q.isKnown(id) || q.failed[share][id]:
	case len(list) >= pageOf:
		q.more[share] = true
	default:
		q.known[id] = share
		q.waiting[share] = append(list, id)
		if len(list) == 0 {
			q.turns = append(q.turns, share)
		}
	}
}

// hurry has an operation loaded before all others: it is to be cancelled.
func (q *queue) hurry(id, share string) {
	if q.failed[share][id] || len(q.urgent) >= pageOf {
		return // it comes with the next look
	}
	if i := slices.Index(q.waiting[share], id); i >= 0 {
		q.remove(share, i)
	} else if q.isKnown(id) {
		return // it is on its way
	}
	q.known[id] = share
	q.urgent = append(q.urgent, id)
}

// remove takes one that waits out.
func (q *queue) remove(share string, i int) {
	q.waiting[share] = slices.Delete(q.waiting[share], i, i+1)
	if len(q.waiting[share]) == 0 {
		delete(q.waiting, share)
		q.turns = slices.DeleteFunc(q.turns, func(s string) bool { return s == share })
	}
}

// next takes the operation out that is to be loaded, and counts it as loaded; "" if there
// is none, or no room.
func (q *queue) next() string {
	if len(q.urgent) > 0 && q.roomForUrgent() {
		id := q.urgent[0]
		q.urgent = q.urgent[1:]
		q.count(q.known[id], 1)
		return id
	}
	if len(q.turns) == 0 {
		return ""
	}
	share := slices.MinFunc(q.turns, func(a, b string) int { return q.loaded[a] - q.loaded[b] })
	if !q.room(share) {
		return ""
	}
	id := q.waiting[share][0]
	q.remove(share, 0)
	if i := slices.Index(q.turns, share); i >= 0 {
		q.turns = append(slices.Delete(q.turns, i, i+1), share)
	}
	q.count(share, 1)
	return id
}

// drop forgets an operation that is in memory, or on its way there.
func (q *queue) drop(id string) {
	if share, known := q.known[id]; known {
		delete(q.known, id)
		q.count(share, -1)
	}
}

// fail is drop for one that could not be loaded: it is left alone until the next look.
func (q *queue) fail(id string) {
	share := q.known[id]
	q.drop(id)
	if q.failed[share] == nil {
		q.failed[share] = map[string]bool{}
	}
	q.failed[share][id] = true
}

func (q *queue) count(share string, n int) {
	q.total += n
	if q.loaded[share] += n; q.loaded[share] == 0 {
		delete(q.loaded, share)
	}
}

// compare learns how many operations of each share the journal has. What could not be loaded
// may be tried again.
func (q *queue) compare(journalled map[string]int) {
	clear(q.failed)
	here := map[string]int{}
	for _, share := range q.known {
		here[share]++
	}
	clear(q.more)
	for share, n := range journalled {
		if n > here[share] {
			q.more[share] = true
		}
	}
}

// hungry gives the shares of which the journal has more than is known here, while none waits
// here though there is room, and how many of its oldest have to be read to find new ones.
func (q *queue) hungry() map[string]int {
	out := map[string]int{}
	for share, more := range q.more {
		if more && len(q.waiting[share]) == 0 && q.room(share) {
			out[share] = q.loaded[share] + len(q.urgent) + len(q.failed[share]) + pageOf
		}
	}
	return out
}
