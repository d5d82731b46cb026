// Package process runs this program again as a worker process, which may be killed.
//
// [Command] returns the command of a worker with its order, and [Main] is the main
// function of one: it reads the order and carries it out. [Signal] says by which signal a
// worker was ended.
package process
