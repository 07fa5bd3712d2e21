package file

// Journals reads the options of a mounted ext4.
func Journals(options string) bool { return journals(options) }
