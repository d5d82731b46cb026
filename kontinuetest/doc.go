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
//	result, err := DeployWithHelm(cluster.Run(cluster.NewExecution("release-42")))
//
// A container without a play succeeds immediately. Inside a [testing/synctest] bubble
// the four minutes take no real time. Methods of [Cluster] inject faults such as an
// interrupted watch, an evicted pod or a failing request.
//
// The end of a run's context stands for a crash of its worker: the function returns, and
// its Jobs keep running. A second run, with Resumptions incremented, finds them.
package kontinuetest
