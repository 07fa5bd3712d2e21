package drill

import (
	"fmt"
	"strings"
)

// The most bytes of a text that sums a drill up, and of one sentence in it: the database keeps no
// text of any length. The record of the drill has them all.
const (
	longestBrief    = 8 << 10
	longestSentence = 4 << 10
)

// Brief puts the first of the sentences on a drill together, to at most 8 KiB, and says how many
// there are besides.
func Brief(sentences []string) string {
	var out strings.Builder
	for i, s := range sentences {
		if len(s) > longestSentence {
			s = strings.ToValidUTF8(s[:longestSentence-len("…")], "") + "…"
		}
		more := fmt.Sprintf(" And %d more in the record.", len(sentences)-i)
		if i < len(sentences)-1 && out.Len()+len(s)+len(more) >= longestBrief || out.Len()+len(s) >= longestBrief {
			return out.String() + more
		}
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(s)
	}
	return out.String()
}
