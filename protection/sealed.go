package protection

// KeyDocument is the key of a document that must never lie in the clear, whatever anybody
// allows: it holds the key of a resource's own encryption.
const KeyDocument = "encryption_key"

// Sealable are Documents that may lie sealed in the bank: under a key that the bank does
// not hold.
type Sealable interface {
	Documents
	// Sealed reports whether what CreateJSON writes is sealed.
	Sealed() bool
}

// Sealed reports whether the documents of a call lie sealed in the bank. What must never
// lie there in the clear, such as the key of an encrypted volume, goes only into such
// documents.
func Sealed(d Documents) bool {
	s, ok := d.(Sealable)
	return ok && s.Sealed()
}
