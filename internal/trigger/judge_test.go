//go:build croniter

package trigger_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

var (
	judgeSeed  = flag.Uint64("seed", 1, "of the random patterns")
	judgeCount = flag.Int("count", 6000, "random crontabs; of events there are a sixth")
)

// judged is a pattern of which Debian's croniter or dateutil tells the times.
type judged struct {
	Format  karbor.TriggerFormat `json:"format"`
	Pattern string               `json:"pattern"`
	After   int64                `json:"after"`
	N       int                  `json:"n"`
}

// judge asks Debian's Python, with its packages.
func judge(t *testing.T, cases []judged) [][]int64 {
	t.Helper()
	const python = "/usr/bin/python3"
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import croniter, dateutil").CombinedOutput(); err != nil {
		t.Skipf("Debian's python3-croniter and python3-dateutil are needed: %v: %s", err, out)
	}
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/judge.py")
	cmd.Stdin = bytes.NewReader(text)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var answers [][]int64
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	return answers
}

// compare compares the times of patterns, and gives how many both sides understood.
func compare(t *testing.T, cases []judged, properties func(judged) karbor.TriggerProperties) (both int) {
	t.Helper()
	for i, want := range judge(t, cases) {
		c := cases[i]
		s, err := trigger.Parse(properties(c))
		if err != nil || want == nil {
			continue
		}
		both++
		var got []int64
		for _, at := range s.Times(time.Unix(c.After, 0), len(want)) {
			got = append(got, at.Unix())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %q after %s: %v, the judge says %v", c.Format, c.Pattern, time.Unix(c.After, 0).UTC(), utc(got), utc(want))
		}
	}
	return both
}

func utc(seconds []int64) (out []string) {
	for _, s := range seconds {
		out = append(out, time.Unix(s, 0).UTC().Format(time.DateTime))
	}
	return out
}

type random struct{ *rand.Rand }

func (r random) of(texts ...string) string { return texts[r.IntN(len(texts))] }

// field makes a field of a crontab with values from low to high.
func (r random) field(low, high int, star int) string {
	value := func() int { return low + r.IntN(high-low+1) }
	if r.IntN(100) < star {
		return "*"
	}
	var parts []string
	for range 1 + r.IntN(2) {
		a, b := value(), value()
		if a > b {
			a, b = b, a
		}
		switch r.IntN(3) {
		case 0:
			parts = append(parts, fmt.Sprint(a))
		case 1:
			parts = append(parts, fmt.Sprintf("%d-%d", a, b))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d/%d", a, b, 1+r.IntN(max(1, high/3))))
		}
	}
	return strings.Join(parts, ",")
}

func (r random) crontab() string {
	// A field that lists all its values is '*' to croniter; to cron it is a list, which makes
	// a day that matches one of both fields enough. So none of these lists all.
	day, week := r.field(1, 30, 60), r.field(0, 5, 60)
	switch r.IntN(10) {
	case 0:
		day = "L"
	case 1:
		day, week = "*", fmt.Sprintf("%d#%d", r.IntN(7), 1+r.IntN(4))
	case 2:
		week = r.of("MON", "tue-thu", "SAT,SUN", "mon-fri")
	}
	minute, hour := r.field(0, 59, 20), r.field(0, 23, 30)
	if r.IntN(5) == 0 {
		minute = fmt.Sprintf("*/%d", 1+r.IntN(40))
	}
	month := r.field(1, 12, 60)
	if r.IntN(8) == 0 {
		month = r.of("JAN", "jan-mar", "FEB,AUG", "dec")
	}
	return strings.Join([]string{minute, hour, day, month, week}, " ")
}

func (r random) instant() time.Time {
	return time.Date(2000+r.IntN(60), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
}

func (r random) rule() string {
	freq := r.of("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY")
	parts := []string{"FREQ=" + freq}
	add := func(chance int, text string) {
		if r.IntN(100) < chance {
			parts = append(parts, text)
		}
	}
	add(40, fmt.Sprintf("INTERVAL=%d", 1+r.IntN(5)))
	add(25, fmt.Sprintf("BYMONTH=%d,%d", 1+r.IntN(12), 1+r.IntN(12)))
	if freq != "WEEKLY" {
		add(25, fmt.Sprintf("BYMONTHDAY=%d", []int{1, 13, 28, 31, -1, -3}[r.IntN(6)]))
	}
	add(30, "BYDAY="+r.of("MO", "MO,WE,FR", "SA,SU", "TU"))
	if freq == "MONTHLY" {
		add(20, "BYSETPOS="+r.of("1", "-1", "2"))
	}
	if freq == "YEARLY" {
		add(15, "BYWEEKNO="+r.of("1", "20", "53", "-1"))
		add(15, "BYYEARDAY="+r.of("1", "100", "366", "-1"))
	}
	add(25, fmt.Sprintf("BYHOUR=%d", r.IntN(24)))
	add(25, fmt.Sprintf("BYMINUTE=%d,%d", r.IntN(60), r.IntN(60)))
	add(10, fmt.Sprintf("COUNT=%d", 1+r.IntN(200)))
	add(20, "WKST="+r.of("MO", "SU"))
	return strings.Join(parts, ";")
}

func TestCrontabsFireWhenCroniterSays(t *testing.T) {
	r := random{rand.New(rand.NewPCG(*judgeSeed, 1))}
	cases := make([]judged, *judgeCount)
	for i := range cases {
		cases[i] = judged{karbor.Crontab, r.crontab(), r.instant().Unix(), 10}
	}
	both := compare(t, cases, func(c judged) karbor.TriggerProperties {
		return karbor.TriggerProperties{Format: c.Format, Pattern: c.Pattern}
	})
	t.Logf("%d patterns, %d of them understood by both", len(cases), both)
	if both < len(cases)*8/10 {
		t.Errorf("only %d of %d patterns were compared", both, len(cases))
	}
}

func TestEventsFireWhenDateutilSays(t *testing.T) {
	r := random{rand.New(rand.NewPCG(*judgeSeed, 2))}
	cases := make([]judged, *judgeCount/6)
	for i := range cases {
		begin := r.instant()
		pattern := "DTSTART:" + begin.Format("20060102T150405") + "\nRRULE:" + r.rule()
		cases[i] = judged{karbor.Calendar, pattern, begin.Add(time.Duration(r.IntN(5000)) * time.Hour).Unix(), 5}
	}
	both := compare(t, cases, func(c judged) karbor.TriggerProperties {
		return karbor.TriggerProperties{Format: c.Format, Pattern: "BEGIN:VEVENT\n" + c.Pattern + "\nEND:VEVENT"}
	})
	t.Logf("%d patterns, %d of them understood by both", len(cases), both)
	if both < len(cases)*6/10 {
		t.Errorf("only %d of %d patterns were compared", both, len(cases))
	}
}
