// Package kontinuetest tests programs that run Jobs with kontinue, without a
// cluster.
//
// [New] starts an in-memory Kubernetes cluster that stops when the test ends: an API
// server, the Job controller, the garbage collector, a scheduler and a kubelet. They
// write the same objects in the same order as real ones. A [Play] defines what the
// containers of a step do:
//
//	cluster := kontinuetest.New(t)
//	cluster.Play(kontinuetest.Job("helm").Pending(4*time.Minute).Log("no such chart").Exit(3))
//	err := deploy(cluster.Run(cluster.NewExecution("release-42")))
//
// A container without a play succeeds immediately. Inside a [testing/synctest] bubble
// the four minutes take no real time. Methods of [Cluster] inject faults such as an
// interrupted watch, an evicted pod or a failing request. A ResourceQuota that the test
// creates with [Cluster.Clientset] is enforced. A pod whose ServiceAccount is missing is
// refused, and one whose PersistentVolumeClaim is missing is not scheduled. Each namespace
// has the ServiceAccount default.
//
// A play for a step or container that never ran fails the test, since its name is most often
// misspelt; [Play.Optional] allows that. [Play.Attempt] and [Play.Retry] are for steps that
// run more than once.
//
// [Cluster.Crash] kills the program as SIGKILL would, and [Cluster.CrashBefore] and
// [Cluster.CrashAfter] do at a certain request. The function returns an [ErrCrashed], and
// its Jobs keep running. A second run, with Resumptions incremented, finds them.
//
// [Cluster.Running] and [Cluster.Eventually] wait for what happens, and [Cluster.Advance]
// lets virtual time pass; there is one clock, of the cluster and of the program.
// [Cluster.RequireJobs] requires that nothing ran twice, [Cluster.Job] returns what a step has
// created, and [Cluster.Requests] counts.
//
// [Replay] runs the steps of a recording again, which a client has written to
// Config.Record: a bug report becomes a test.
//
// What other programs of a cluster do is up to the test, by [Cluster.Clientset]: it creates
// further namespaces and the objects that own Jobs in them, and starts the Job of a step with
// a Queue by setting its spec.suspend to false.
package kontinuetest
