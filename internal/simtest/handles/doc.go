// Package handles tests steps that are started and not waited for at once: what a
// kontinue.Step says, what ends it, what it costs, and which steps may delay each other.
package handles
