package dedup

import (
	"testing"

	"github.com/karbor/karbor/internal/repository/format"
)

func TestAGroupsMemoryIsUsedAgainWhenNobodyReadsIt(t *testing.T) {
	var c groupCache
	raw := c.room(format.MaxGroup)[:format.MaxGroup]
	key := groupKey{offset: 1}
	first := c.put(key, raw)
	second := c.get(key)
	if second != first {
		t.Fatal("the group that was opened last is not kept")
	}
	c.release([]*group{first})
	for i := range groupsCached { // the cache forgets it
		c.release([]*group{c.put(groupKey{offset: 2 + i}, []byte{1})})
	}
	if c.get(key) != nil {
		t.Fatal("the oldest group is still kept")
	}
	if again := c.room(format.MaxGroup)[:1]; &again[0] == &raw[0] {
		t.Fatal("memory is used again that somebody still reads")
	}
	c.release([]*group{second})
	if again := c.room(format.MaxGroup)[:1]; &again[0] != &raw[0] {
		t.Error("memory that nobody reads any more is not used again")
	}
	if again := c.room(format.MaxGroup)[:1]; &again[0] == &raw[0] {
		t.Error("memory is given to two")
	}
}

func TestTwoWhoOpenOneGroupHaveOneEach(t *testing.T) {
	var c groupCache
	raw := [2][]byte{c.room(format.MaxGroup)[:1], c.room(format.MaxGroup)[:1]}
	var opened [2]*group
	for i := range opened {
		opened[i] = c.put(groupKey{}, raw[i])
	}
	c.release(opened[:])
	if again := c.room(format.MaxGroup)[:1]; &again[0] != &raw[1][0] {
		t.Error("the group that the cache did not take is not used again")
	}
	if again := c.room(format.MaxGroup)[:1]; &again[0] == &raw[0][0] {
		t.Error("memory of a group that is kept is used again")
	}
}

func TestSmallGroupsTakeWhatTheyNeed(t *testing.T) {
	var c groupCache
	if got := cap(c.room(1000)); got > 1024 {
		t.Errorf("a group of 1000 bytes takes %d", got)
	}
}
