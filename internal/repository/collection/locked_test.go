package collection_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
)

// keeping is a bank that locks packs for an hour.
type keeping struct{ *banktest.Memory }

func (k keeping) lock(i bank.Info) bank.Info {
	if strings.Contains(i.Key, "/packs/") || strings.Contains(i.Key, "/pages/") {
		i.LockedUntil = i.ModTime.Add(time.Hour)
	}
	return i
}

func (k keeping) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	infos, err := k.Memory.List(ctx, prefix, marker, limit)
	for n := range infos {
		infos[n] = k.lock(infos[n])
	}
	return infos, err
}

func (k keeping) Delete(ctx context.Context, key string) error {
	if i, err := k.Stat(ctx, key); err == nil && k.lock(i).LockedUntil.After(time.Now()) {
		return karbor.Errorf(karbor.Conflict, "%s is locked", key)
	}
	return k.Memory.Delete(ctx, key)
}

func TestLockedPacksAreLeftAloneUntilTheirLockEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 1), 1)
		write(t, d, manifestOf(domain, 2), 2)
		began := time.Now()
		remove(t, b, manifestOf(domain, 1))
		d = open(t, keeping{b}, nil)
		r, err := collect(t, d, collection.Options{})
		if err != nil || r.Condemned != 0 || r.Locked != 2 || !r.Unlocked.Equal(began.Add(time.Hour)) || r.Epoch != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(time.Hour)
		if r, err = collect(t, d, collection.Options{}); err != nil || r.Deleted != 2 || r.Locked != 0 {
			t.Errorf("an hour later: %+v, %v", r, err)
		}
		if err := reads(t, open(t, b, nil), manifestOf(domain, 2), 2); err != nil {
			t.Error(err)
		}
	})
}
