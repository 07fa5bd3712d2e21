package karbor

import "time"

// The names of the services, as the list of services has them.
const (
	// ProtectionBinary runs operations.
	ProtectionBinary = "karbor-protection"
	// OperationEngineBinary starts scheduled operations. It is the only one that an
	// administrator can disable.
	OperationEngineBinary = "karbor-operationengine"
)

// Service is a part of Karbor that runs on a host, and reports so now and then.
type Service struct {
	// ID is a small number.
	ID     int64
	Host   string
	Binary string
	// Disabled is true for one that takes no new scheduled work, because an
	// administrator has said so. DisabledReason may be empty.
	Disabled       bool
	DisabledReason string
	// Version is that of the program that runs it; "" if it is not known.
	Version string
	// ReportCount is how often it has reported.
	ReportCount int64
	CreatedAt   time.Time
	// UpdatedAt is its last report.
	UpdatedAt time.Time
}

// Up reports whether the service has reported lately: less than downTime ago.
func (s *Service) Up(now time.Time, downTime time.Duration) bool {
	return now.Sub(s.UpdatedAt) < downTime
}
