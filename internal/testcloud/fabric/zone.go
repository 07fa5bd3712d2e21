package fabric

// FirstZone and SecondZone are the availability zones of compute and of block storage. What asks for none is in
// the first one.
const (
	FirstZone  = "nova"
	SecondZone = "north"
)
