// Package lifecycle tests a client from its start, for which it needs rights, to its stop, and
// what it leaves behind: results, Events about the owner, progress.
package lifecycle
