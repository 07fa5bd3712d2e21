package lookup

import "strings"

// Nearest gives the word that is most like word, or "" if none is.
func Nearest(word string, among []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, other := range among {
		d := distance(strings.ToLower(word), strings.ToLower(other))
		if len(word) > 2 && other != "" && strings.HasPrefix(strings.ToLower(other), strings.ToLower(word)) {
			d = 1
		}
		if d < least {
			best, least = other, d
		}
	}
	return best
}

// distance counts the bytes to change, add, remove or swap with their neighbours
// between two words.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			if i == 0 || j == 0 {
				d[i][j] = i + j
				continue
			}
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
