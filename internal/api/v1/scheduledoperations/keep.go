package scheduledoperations

import "github.com/karbor/karbor"

// keepNames are the members of an operation_definition that came with
// api.ControlVersion.
func keepNames() []string {
	return []string{"keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "minimum_keep", "include_manual"}
}

// keepRules gives the numbers among them.
func keepRules(d karbor.OperationDefinition) map[string]int {
	k := d.Keep
	return map[string]int{
		"keep_hourly": k.Hourly, "keep_daily": k.Daily, "keep_weekly": k.Weekly, "keep_monthly": k.Monthly, "keep_yearly": k.Yearly,
		"minimum_keep": k.Minimum,
	}
}

// keepView has the members of a definition on the wire that came with
// api.ControlVersion.
type keepView struct {
	KeepHourly    string `json:"keep_hourly,omitempty" doc:"From 1.4: of how many hours the newest checkpoint is kept."`
	KeepDaily     string `json:"keep_daily,omitempty" doc:"From 1.4: of how many days."`
	KeepWeekly    string `json:"keep_weekly,omitempty" doc:"From 1.4: of how many weeks."`
	KeepMonthly   string `json:"keep_monthly,omitempty" doc:"From 1.4: of how many months."`
	KeepYearly    string `json:"keep_yearly,omitempty" doc:"From 1.4: of how many years."`
	MinimumKeep   string `json:"minimum_keep,omitempty" doc:"From 1.4: how many of the newest are kept in any case."`
	IncludeManual string `json:"include_manual,omitempty" doc:"From 1.4: true if the rules hold for checkpoints that were made by hand, too."`
}
