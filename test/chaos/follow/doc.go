// Package follow kills workers that write the log of a step, and counts the lines that
// were lost or written twice.
//
// [Run] serves a cluster in memory over HTTP. One step writes numbered lines, and a worker
// process, which runs the step with StepOptions.Logs, writes them to a file. Its log
// streams are cut within a line again and again. At chosen lines it is killed with
// SIGKILL, and the next worker resumes the step with a file of its own.
//
// The [Report] counts what differs from the guarantee: each file has the lines from the
// first one on, in their order and once; a kill may only have cut the last one; the last
// file has all lines, and its LogReport says so. It also has the most memory that the last
// worker used. Nothing here needs root or the programs of package cluster.
package follow
