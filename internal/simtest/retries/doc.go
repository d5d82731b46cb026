// Package retries has the tests of steps that run again in the same attempt, in virtual time:
// the times of the back-off, the limits by class, and workers that die or cancel on the way.
package retries
