package model

// Bounds of what is explored.
const (
	writers  = 2
	sessions = 2 // of a writer, one after the other
	epochs   = 3 // that the collector publishes
)

// set is a set of packs: the old pack, which the old stream refers to, and one for each
// session of each writer, which it may store. All of them hold the same chunk. A pack
// has a random salt in it, so a later session never stores one of the same name.
type set uint8

const (
	oldPack  set = 1
	lastPack set = oldPack << (writers * sessions)
)

func own(w int, rest uint8) set { return oldPack << (1 + sessions*w + int(rest)) }

// listing says which objects a listing may still miss.
type listing struct {
	session, manifest [writers]bool
}

// state is one state of the domain and of those who work on it.
type state struct {
	// packs are the packs in the bank, indexed those that the index tells of.
	packs, indexed set
	// oldStream is the manifest that was there before, which somebody may delete.
	oldStream bool
	// manifests are what the writers' published streams refer to.
	manifests [writers]set
	// missed are the objects that a listing may miss.
	missed listing
	// newest is the number of the newest epoch, condemned the list of each; gone is
	// the part of the list that was gone already when the epoch was published.
	newest    uint8
	condemned [epochs + 1]set
	gone      [epochs + 1]set
	writers   [writers]writer
	collector collector
	// epochs is how many there may be.
	epochs uint8
}

// Steps of a writer.
const (
	idle     = iota // no session
	entered         // its session record is written
	looked          // it has looked for the newest epoch since
	ready           // its record tells that epoch
	referred        // it refers to a pack
	ended           // its stream is published
)

// writer is one session.
type writer struct {
	step uint8
	// lapsed says that its lease has run out by the bank's clock.
	lapsed bool
	// seen is the epoch that it knows, told the one that its record tells.
	seen, told uint8
	// refers is what its stream refers to, keeps what its record keeps.
	refers, keeps set
	// untold says that it has stored the pack that it refers to, and the index does not tell of it yet.
	untold bool
	// rest is how many more streams it may try after a lapse.
	rest uint8
}

// Steps of the collector.
const (
	resting   = iota
	marked    // it has marked from the manifests
	published // its epoch is published
	settled   // listings show what was there at the publication
	waited    // all sessions have told the epoch, or ended
	listened  // it has read what they keep
	remarked  // it has marked again
)

type collector struct {
	step  uint8
	epoch uint8
	// list is the list of its epoch, from marking on; gone is what was gone then.
	list, gone  set
	keeps, todo set
	// rest is how many more times it may crash.
	rest uint8
}

// rules are the parts of the protocol. Each test of a planted bug leaves one out.
type rules struct {
	// lookAgain: a writer looks for the newest epoch after its session record is
	// written, not before.
	lookAgain bool
	// lease: a writer publishes only while its lease lives.
	lease bool
	// dataFirst: a writer publishes only what is stored.
	dataFirst bool
	// wait: the collector waits for all sessions to tell its epoch.
	wait bool
	// remark: the collector marks again before it deletes.
	remark bool
	// keepsFirst: it reads what sessions keep before it marks again, not after.
	keepsFirst bool
	// keep: a writer that learns of an epoch keeps the condemned packs that it
	// refers to already.
	keep bool
	// keepLong: it keeps them until listings show its manifest.
	keepLong bool
	// absent: a writer takes condemned packs for absent.
	absent bool
	// goneToo: an epoch's list holds what the one before it has deleted, as an old
	// index may still tell of it.
	goneToo bool
	// recheck: after a lapse, a writer checks what it refers to.
	recheck bool
	// settle: the collector waits until listings show all that was there when it
	// published its epoch.
	settle bool
	// mourn: the collector waits until listings show what a session published before
	// it died.
	mourn bool
	// segment: a writer tells of its pack in the index only while its lease lives.
	segment bool
	// clean: who collects after a crash cleans the index before the next epoch.
	clean bool
	// stays: a session's record stays until listings show the one in its place.
	stays bool
}

func allRules() rules {
	return rules{true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true}
}

// size is how much of the bounds is explored at a time: all of it together is too much.
type size struct {
	// sessions of each writer; one with none does nothing.
	sessions [writers]uint8
	epochs   uint8
	// crashes of the collector.
	crashes uint8
}

func (z size) start() state {
	s := state{packs: oldPack, indexed: oldPack, oldStream: true}
	for w := range s.writers {
		if z.sessions[w] == 0 {
			s.writers[w].step = ended
			continue
		}
		s.writers[w].rest = z.sessions[w] - 1
	}
	s.collector.rest, s.epochs = z.crashes, z.epochs
	return s
}

// lost reports whether a published stream refers to a pack that is gone.
func (s *state) lost() bool {
	for w := range s.manifests {
		if s.manifests[w]&^s.packs != 0 {
			return true
		}
	}
	return s.oldStream && s.packs&oldPack == 0
}
