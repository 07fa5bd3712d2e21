package model

// next calls visit with every state that one step leads to, and the step's name.
func (r rules) next(s state, visit func(name string, to state)) {
	for w := range s.writers {
		r.writer(s, w, visit)
	}
	r.collect(s, visit)
	if s.oldStream {
		to := s
		to.oldStream = false
		visit("a checkpoint is deleted", to)
	}
	if s.missed != (listing{}) {
		to := s
		to.missed = listing{}
		visit("listings catch up", to)
	}
}

var names = [writers]string{"writer 1", "writer 2"}

func (r rules) writer(s state, w int, visit func(string, state)) {
	me := &s.writers[w]
	do := func(name string, change func(to *state, me *writer)) {
		to := s
		change(&to, &to.writers[w])
		visit(names[w]+" "+name, to)
	}
	if me.step != idle && !me.lapsed {
		do("lapses", func(_ *state, me *writer) { me.lapsed = true })
	}
	if me.lapsed && me.rest > 0 && me.step != ended {
		do("begins a new session", func(to *state, me *writer) {
			*me = writer{step: entered, rest: me.rest - 1, refers: me.refers, seen: me.seen, untold: me.untold}
			if !r.recheck {
				me.step = referred
			}
			to.missed.session[w] = true
		})
	}
	if me.untold && (me.step == referred || !r.segment) && (!me.lapsed || !r.segment) {
		do("tells of its pack in the index", func(to *state, me *writer) {
			to.indexed |= me.refers
			me.untold = false
		})
	}
	if me.lapsed && r.lease {
		return
	}
	switch me.step {
	case idle:
		do("enters its session", func(to *state, me *writer) {
			me.step = entered
			to.missed.session[w] = true
			if !r.lookAgain {
				me.step = looked // with what it knew before
			}
		})
		if !r.lookAgain {
			do("looks for the newest epoch too early", func(to *state, me *writer) { me.seen = to.newest })
		}
	case entered:
		do("looks for the newest epoch", func(to *state, me *writer) {
			me.step, me.seen = looked, to.newest
		})
	case looked:
		do("tells its epoch", func(to *state, me *writer) {
			me.step, me.told = ready, me.seen
			if me.refers != 0 {
				me.step = referred
				// It refers to something from before its lapse.
				if r.absent && to.condemned[me.seen]&me.refers != 0 || to.packs&me.refers == 0 {
					me.step, me.refers, me.untold = ready, 0, false
				}
			}
		})
	case ready:
		r.refer(s, w, do)
	case referred:
		if !r.dataFirst && s.packs&own(w, me.rest) == 0 && me.refers == own(w, me.rest) {
			do("stores its pack late", func(to *state, me *writer) { to.packs |= me.refers })
		}
		if !me.untold {
			do("publishes", func(to *state, me *writer) {
				me.step = ended
				to.manifests[w] = me.refers
				to.missed.manifest[w] = true
			})
		}
		r.renew(s, w, do)
	case ended:
		r.renew(s, w, do)
		if me.keeps != 0 && (!r.keepLong || !s.missed.manifest[w]) {
			do("keeps no more", func(_ *state, me *writer) { me.keeps, me.refers = 0, 0 })
		}
	}
}

// refer: the writer finds the chunk in the index, or stores it.
func (r rules) refer(s state, w int, do func(string, func(*state, *writer))) {
	me := &s.writers[w]
	for pack := oldPack; pack <= lastPack; pack <<= 1 {
		// An old index tells of packs that are gone, too, as long as listings lag.
		if s.indexed&pack == 0 && !old(s, pack) {
			continue
		}
		if r.absent && s.condemned[me.seen]&pack != 0 {
			continue
		}
		do("refers to a pack of the index", func(_ *state, me *writer) { me.step, me.refers = referred, pack })
	}
	do("stores its pack", func(to *state, me *writer) {
		if r.dataFirst {
			to.packs |= own(w, me.rest)
		}
		me.step, me.refers, me.untold = referred, own(w, me.rest), true
	})
	r.renew(s, w, do)
}

// old reports whether a pack was removed from the index so lately that an old index
// may tell of it: by the newest epoch, or the one before.
func old(s state, pack set) bool {
	return s.condemned[s.newest]&pack != 0 || s.newest > 0 && s.condemned[s.newest-1]&^s.gone[s.newest-1]&pack != 0
}

// renew: the writer looks for a newer epoch, and tells that it knows it.
func (r rules) renew(s state, w int, do func(string, func(*state, *writer))) {
	me := &s.writers[w]
	if me.seen < s.newest {
		do("learns of a newer epoch", func(to *state, me *writer) { me.seen = to.newest })
	}
	if me.told < me.seen {
		do("tells a newer epoch", func(to *state, me *writer) {
			me.told = me.seen
			to.missed.session[w] = to.missed.session[w] || !r.stays
			published := me.step == ended && (!r.keepLong || !to.missed.manifest[w])
			if r.keep && !published {
				me.keeps |= me.refers & to.condemned[me.seen]
			}
		})
	}
}

func (r rules) collect(s state, visit func(string, state)) {
	do := func(name string, change func(to *state, me *collector)) {
		to := s
		change(&to, &to.collector)
		visit("the collector "+name, to)
	}
	me := &s.collector
	if me.step != resting && me.rest > 0 {
		do("crashes", func(_ *state, me *collector) { *me = collector{rest: me.rest - 1} })
	}
	switch me.step {
	case resting:
		if s.newest == s.epochs {
			return
		}
		eachMark(s, func(reached set) {
			do("marks", func(to *state, me *collector) {
				me.step, me.epoch = marked, to.newest+1
				me.list, me.gone = to.packs&^reached, 0
				if r.goneToo {
					me.gone = to.condemned[to.newest] &^ to.gone[to.newest] &^ to.packs
				}
			})
		})
	case marked:
		do("publishes its epoch", func(to *state, me *collector) {
			me.step, to.newest = published, me.epoch
			to.condemned[me.epoch], to.gone[me.epoch] = me.list|me.gone, me.gone
			if r.clean {
				to.indexed &= to.packs // the index has been cleaned of what the last one deleted
			}
		})
	case published:
		if !r.settle || s.missed == (listing{}) {
			do("has waited for the listings", func(_ *state, me *collector) { me.step = settled })
		}
	case settled:
		if r.allTold(s) {
			do("has waited for the sessions", func(_ *state, me *collector) { me.step = waited })
		}
	case waited, listened:
		r.examine(s, do)
	case remarked:
		for pack := oldPack; pack <= lastPack; pack <<= 1 {
			if me.todo&pack != 0 {
				do("deletes a pack", func(to *state, me *collector) {
					me.todo &^= pack
					to.packs &^= pack
				})
			}
		}
		if me.todo == 0 {
			do("cleans the index", func(to *state, me *collector) {
				to.indexed &= to.packs
				*me = collector{rest: me.rest}
			})
		}
	}
}

// examine: what do the sessions keep, and what do the manifests reach now?
func (r rules) examine(s state, do func(string, func(*state, *collector))) {
	listen := func(name string, step uint8) {
		do(name, func(to *state, me *collector) {
			me.step, me.keeps = step, 0
			for w := range to.writers {
				if listed(to, w) || r.mourn && mourned(to, w) {
					me.keeps |= to.writers[w].keeps
				}
			}
			if !r.keepsFirst {
				me.todo &^= me.keeps
			}
		})
	}
	mark := func(name string, step uint8) {
		eachMark(s, func(reached set) {
			do(name, func(_ *state, me *collector) {
				if !r.remark {
					reached = 0
				}
				me.step, me.todo = step, me.list&^reached&^me.keeps
			})
		})
	}
	first := s.collector.step == waited
	switch {
	case r.keepsFirst && first:
		listen("reads what sessions keep", listened)
	case r.keepsFirst:
		mark("marks again", remarked)
	case first:
		mark("marks again too early", listened)
	default:
		listen("reads what sessions keep too late", remarked)
	}
}

// listed reports whether a session lives and shows in a listing for sure.
func listed(s *state, w int) bool {
	me := &s.writers[w]
	return me.step != idle && !me.lapsed && !s.missed.session[w]
}

// mourned reports whether a session is dead for so short that listings may still miss what it
// published.
func mourned(s *state, w int) bool { return s.writers[w].lapsed && s.missed.manifest[w] }

// allTold reports whether every session that the listing shows has told the epoch, or is dead
// for so long that listings show what it published.
func (r rules) allTold(s state) bool {
	for w := range s.writers {
		if r.mourn && mourned(&s, w) {
			return false
		}
		if r.wait && listed(&s, w) && s.writers[w].told < s.collector.epoch {
			return false
		}
	}
	return true
}

// eachMark calls fn with what may be found reachable: a listing may miss some of the
// manifests that it is late with, or none.
func eachMark(s state, fn func(reached set)) {
	for missing := range 1 << writers {
		var reached set
		if s.oldStream {
			reached = oldPack
		}
		possible := true
		for w := range s.manifests {
			if missing&(1<<w) == 0 {
				reached |= s.manifests[w]
			} else if !s.missed.manifest[w] {
				possible = false
			}
		}
		if possible {
			fn(reached)
		}
	}
}
