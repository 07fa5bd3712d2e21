package attempt

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/karbor/karbor/internal/repository/verification"
)

func TestWhatVerificationsHaveFoundGoodIsLetGoThoughNobodyHearsOfTheirEnd(t *testing.T) {
	var v verified
	first, atWork := v.of("first"), v.of("at work")
	for i := range 10 * mostVerified {
		v.of(strconv.Itoa(i))
		if v.of("at work") != atWork {
			t.Fatal("what is known of a verification that runs is let go")
		}
	}
	if len(v.all) > mostVerified || v.of("first") == first {
		t.Errorf("it is kept of %d verifications, of the first: %t", len(v.all), v.of("first") == first)
	}
	v.forget("first")
	if v.all["first"] != nil {
		t.Error("what has ended is kept")
	}
}

// full gives the state of a verification that has found so many packs good.
func full(t *testing.T, packs int) *verification.State {
	t.Helper()
	text := []byte("KARBORVS\x01")
	for i := range packs {
		entry := make([]byte, 42)
		entry[0] = 1
		binary.LittleEndian.PutUint64(entry[1:], uint64(i)+1)
		text = append(text, entry...)
	}
	sum := sha256.Sum256(text)
	state := verification.NewState()
	if err := state.UnmarshalBinary(append(text, sum[:]...)); err != nil {
		t.Fatal(err)
	}
	return state
}

func TestWhatOtherVerificationsHaveFoundGoodIsBoundedInPacks(t *testing.T) {
	var v verified
	for i := range 4 {
		v.of(strconv.Itoa(i))
		v.all[strconv.Itoa(i)].State = full(t, mostPacks/3)
	}
	v.of("another")
	if v.all["0"] != nil || v.all["1"] == nil || v.all["3"] == nil {
		t.Errorf("it is kept of %d", len(v.all))
	}
}
