// Package binaries builds the programs of a cluster from source and keeps them
// in a cache: etcd and the Kubernetes components, containerd, a pause program
// and the container images made of what the machine has.
//
// Each set is pinned by a go.mod and go.sum of its own (in source/, as
// *.mod and *.sum, because Go does not embed files of another module), so that
// neither the library nor the test modules depend on Kubernetes itself. A set
// lives in a cache directory named by its version and a hash of everything it
// is built from: a changed file builds anew, an unchanged one costs nothing.
//
// [Install] gets what is not built from Debian, [Build] fills the cache,
// [Find] only looks.
package binaries
