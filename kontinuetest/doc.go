// Package kontinuetest tests programs that run Jobs with kontinue, without a
// cluster.
//
// [New] starts a Kubernetes cluster in memory that ends with the test: an API
// server, the Job controller, the garbage collector, a scheduler and a kubelet,
// which write the same objects in the same order as real ones. What the
// containers of a step do is told by a [Play]:
//
//	cluster := kontinuetest.New(t)
//	cluster.Play(kontinuetest.Job("helm").Pending(4*time.Minute).Log("no such chart").Exit(3))
//	result, err := DeployWithHelm(cluster.Run(cluster.NewExecution("release-42")))
//
// A container without a play succeeds at once. Inside a [testing/synctest]
// bubble the four minutes pass in no time, and faults such as a cut watch, an
// evicted pod or a failing request happen when the test says so.
package kontinuetest
