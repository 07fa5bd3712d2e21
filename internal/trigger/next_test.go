package trigger_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/trigger"
)

// figured are patterns with what one next time of them may cost.
var figured = []struct {
	name   string
	format karbor.TriggerFormat
	text   string
	zone   string
	most   time.Duration
}{
	{"cron every five minutes", karbor.Crontab, "*/5 * * * *", "", mostCron},
	{"cron nightly in a zone", karbor.Crontab, "0 2 * * *", "Europe/Berlin", mostCron},
	{"cron last day of the month", karbor.Crontab, "0 0 L * *", "", mostCron},
	{"cron 29 February", karbor.Crontab, "0 0 29 2 *", "Europe/Berlin", mostCron},
	{"rule MINUTELY since ten years", karbor.Calendar, event("DTSTART:20161121T000000Z", "RRULE:FREQ=MINUTELY"), "", mostRule},
	{"rule MINUTELY;INTERVAL=7 in a zone since ten years", karbor.Calendar, event("DTSTART;TZID=Europe/Berlin:20161121T000000", "RRULE:FREQ=MINUTELY;INTERVAL=7"), "", mostRule},
	{"rule HOURLY since ten years", karbor.Calendar, event("DTSTART:20161121T000000Z", "RRULE:FREQ=HOURLY;INTERVAL=5"), "", mostRule},
	{"rule MINUTELY in an hour of a day", karbor.Calendar, event("DTSTART:20161121T000000Z", "RRULE:FREQ=MINUTELY;BYHOUR=3;BYDAY=MO"), "", mostRule},
	{"rule DAILY since ten years", karbor.Calendar, event("DTSTART;TZID=Europe/Berlin:20161121T020000", "RRULE:FREQ=DAILY"), "", mostRule},
	{"rule last working day", karbor.Calendar, event("DTSTART:20161121T200000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"), "", mostRule},
	{"rule YEARLY", karbor.Calendar, event("DTSTART:20161121T200000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"), "", mostRule},
	{"rule MINUTELY;COUNT=10000 since a week", karbor.Calendar, event("DTSTART:20261115T000000Z", "RRULE:FREQ=MINUTELY;COUNT=10000"), "", mostRule},
}

const (
	mostCron = 20 * time.Microsecond
	mostRule = 200 * time.Microsecond
)

// processTime is the CPU time of the process, which tells of a figure whatever else runs on
// the machine.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkNext is what one next time of a trigger costs: its goal is 20 µs of a crontab, and 200 µs
// of a calendar.
func BenchmarkNext(b *testing.B) {
	at := time.Date(2026, 11, 21, 12, 34, 56, 0, time.UTC)
	for _, f := range figured {
		b.Run(f.name, func(b *testing.B) {
			s, err := trigger.Parse(karbor.TriggerProperties{Format: f.format, Pattern: f.text, Timezone: f.zone, StartTime: at.AddDate(-10, 0, 0)})
			if err != nil {
				b.Fatal(err)
			}
			before := processTime(b)
			for b.Loop() {
				if _, ok := s.Next(at); !ok {
					b.Fatal("there is no next time")
				}
			}
			spent := float64((processTime(b) - before).Nanoseconds()) / float64(b.N)
			b.ReportMetric(spent/1000, "CPU-µs/op")
			b.ReportMetric(spent/float64(f.most.Nanoseconds()), "of-goal")
			if b.N > 1000 && spent > float64(f.most.Nanoseconds()) {
				b.Errorf("it took %.1f µs of CPU time, and may take %v", spent/1000, f.most)
			}
		})
	}
}
