// Package binaries builds the programs of a cluster from source and keeps them in a
// cache: etcd and the Kubernetes components, containerd, a pause program, and the
// container images, which are packed from programs of the machine.
//
// Each set of programs is pinned by its own go.mod and go.sum, so that neither the
// library nor the test modules depend on Kubernetes itself. They are in source/ as
// *.mod and *.sum, because Go does not embed files of another module. Another version of
// Kubernetes, see [VersionEnv], is a set of its own, whose go.mod is made from that of the
// release. A set has a cache directory named by its version and a hash of all its inputs,
// so it is rebuilt when an input changes and only then.
//
// [Install] installs Debian packages for what is not built, [Build] fills the cache,
// and [Find] only looks up the programs.
package binaries
