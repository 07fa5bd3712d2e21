// Package schedules drives the whole service beside a simulated cloud whose clock jumps:
// scheduled operations run as users whose tokens are long gone.
package schedules
