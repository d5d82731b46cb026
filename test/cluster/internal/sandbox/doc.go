// Package sandbox runs programs on an imaginary machine of their own: private
// process, mount, network and cgroup namespaces whose first process dies with
// the program that made them.
//
// The kernel then does the cleaning up. When the owner ends, however it ends,
// pid 1 of the sandbox is killed (Pdeathsig); with it go all processes inside,
// containers included, and with them the mounts and network devices. What has
// a name on the host, cgroup directories and the state directory, is removed
// by [Sandbox.Close] or, after a crash, by [Sweep].
//
// Programs see the usual absolute paths (/run, /var/lib/kubelet, ...), so any
// number of sandboxes can use the same ones at once.
package sandbox
