package failure

import "testing"

func TestCheckpointOfAFullBankCanBeDeleted(t *testing.T) {
	s := newSite(t, smallDisk("bank-images", 4<<20))
	u := s.tenant("demo")
	plan := u.plan(imageProvider, u.image("small", 100<<10))
	id := u.protect(imageProvider, plan)
	if cp := u.settled(imageProvider, id); cp["status"] != "available" {
		t.Fatalf("the checkpoint is %v", cp)
	}
	s.fill(t, "bank-images") // and it stays so
	u.must("DELETE", checkpoints(imageProvider)+"/"+id, "", "")
	if cp := u.settled(imageProvider, id); cp["status"] != "deleted" {
		t.Fatalf("with a full bank the deletion ends in %v", cp)
	}
}
