// Package scaleout runs the service as several processes, on PostgreSQL and a real
// Temporal cluster, and ends or halts some of them: what they did goes on in others.
package scaleout
