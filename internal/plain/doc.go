// Package plain makes text that others have written safe to show in one's own: the end
// of a container's log, the message of a Job's condition, what an API server or an
// admission webhook answers. Such text may hold what a terminal or an editor acts on
// instead of showing it, and so change what a reader sees of the text around it.
package plain
