package argument

import (
	"strconv"

	"github.com/spf13/pflag"
)

// KeepFlags are the keep rules of retention, one by one.
type KeepFlags struct {
	Hourly, Daily, Weekly, Monthly, Yearly, Minimum int
	Manual                                          bool
}

// KeepMembers are their names in an operation definition.
func KeepMembers() []string {
	return []string{"keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "minimum_keep", "include_manual"}
}

// Add adds the flags; each usage begins with a text.
func (k *KeepFlags) Add(f *pflag.FlagSet, begins string) {
	f.IntVar(&k.Hourly, "keep-hourly", 0, begins+"keep the newest of each of so many hours")
	f.IntVar(&k.Daily, "keep-daily", 0, begins+"keep the newest of each of so many days")
	f.IntVar(&k.Weekly, "keep-weekly", 0, begins+"keep the newest of each of so many weeks")
	f.IntVar(&k.Monthly, "keep-monthly", 0, begins+"keep the newest of each of so many months")
	f.IntVar(&k.Yearly, "keep-yearly", 0, begins+"keep the newest of each of so many years")
	f.IntVar(&k.Minimum, "minimum-keep", 0, begins+"keep so many of the newest whatever else is said")
	f.BoolVar(&k.Manual, "include-manual", false, begins+"those that were made by hand, too")
}

// Read puts the flags that are given into the members of an operation definition.
func (k *KeepFlags) Read(members map[string]string) {
	for i, n := range []int{k.Hourly, k.Daily, k.Weekly, k.Monthly, k.Yearly, k.Minimum} {
		if n != 0 {
			members[KeepMembers()[i]] = strconv.Itoa(n)
		}
	}
	if k.Manual {
		members["include_manual"] = "true"
	}
}
