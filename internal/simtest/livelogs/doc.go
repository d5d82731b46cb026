// Package livelogs tests StepOptions.Logs: what a step writes of the logs of its
// containers while they run, what its LogReport says about it, and what neither a log nor
// a writer may delay.
package livelogs
