// Package sandbox runs programs in private process, mount, network and cgroup
// namespaces. Their first process dies with the program that created them.
//
// The kernel does the cleanup. When the owner ends in any way, pid 1 of the sandbox is
// killed (Pdeathsig), and with it all processes inside, including containers, the
// mounts and the network devices. What exists on the host, cgroup directories and the
// state directory, is removed by [Sandbox.Close] or, after a crash, by [Sweep].
//
// Programs use the usual absolute paths (/run, /var/lib/kubelet, ...), which are
// private to each sandbox, so any number of sandboxes can run at once.
package sandbox
