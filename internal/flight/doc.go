// Package flight records what a client does and what the API server answers, so that a bug
// report can be replayed as a test: see kontinuetest.Replay.
//
// A [Recorder] wraps a clientset and writes JSON lines, a [Line] each: the steps that begin
// and end, each request with its answer as a decoded object, and each event of the watches,
// with the time since the recording began. It sits between the library and the clientset,
// so that it does not matter how that reaches its cluster.
//
// No value that may be confidential is written: see [Scrubber]. Equal values are replaced by
// equal words, so that a comparison of two objects has the same result in a replay.
//
// Nothing waits for the writer. Lines that it does not take in time are left out, and the
// recording says how many.
package flight
