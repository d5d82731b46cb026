// Package files turns files of a step, by their paths in the container, into the data of a
// Secret and the volume and mounts that show them.
//
// The keys of the data are digests of path and contents. A pod refers to the keys, so one
// that was made for other contents is not started with these, and of two versions of a
// step each shows in its pod template that it has other files. Nothing else of the
// contents leaves the data: errors name paths only.
package files
