// Package devcluster is a Kubernetes cluster in memory for programs: to develop, to try
// and to demonstrate what runs Jobs, without a cluster and without images.
//
// [Start] takes milliseconds. The cluster has an API server, the Job controller, the
// garbage collector, a scheduler and a kubelet, which write the same objects in the same
// order as real ones. The kubelet runs the command of each container as a process on this
// machine, or follows a [Play]. A program of the same process reaches it by
// [Cluster.RESTConfig], without a socket, and [Cluster.NewExecution] creates what owns its
// Jobs. Other methods inject faults such as an interrupted watch, an evicted pod or a failing
// request, wait for a condition ([Cluster.WaitFor]) and list what was created
// ([Cluster.Jobs]). [Cluster.Serve] opens the cluster to others, such as kubectl:
//
//	cluster, err := devcluster.Start(ctx, devcluster.Options{})
//	if err != nil {
//		return err
//	}
//	defer cluster.Stop()
//	listener, err := net.Listen("tcp", "127.0.0.1:0")
//	if err != nil {
//		return err
//	}
//	endpoint, err := cluster.Serve(listener, devcluster.ServeOptions{})
//	if err != nil {
//		return err
//	}
//	return endpoint.WriteKubeconfig("dev.kubeconfig")
//
// Tests use package kontinuetest, which has the same cluster.
//
// # A cluster that survives its program
//
// With [Options.Data] the cluster is also in a directory, and a program that is started with
// the same directory later continues with it, also after kill -9. This survives:
//
//   - Every object, of custom resources too, with its UID, resource version, generation,
//     managed fields and times. A write is in the file before it is answered. Only a crash of
//     the machine can lose the last writes, since they are not synced to the disk one by one.
//   - The log of each container of a pod that exists, and of its previous instance: the
//     newest 16 MiB.
//   - The certificate authority and the token: a kubeconfig keeps working if the cluster is
//     served at the same address.
//
// Containers do not survive. Their processes are killed (other systems than Linux cannot,
// after kill -9), and a restart is to their pods what a reboot is to those of a node. A pod
// with restartPolicy Never that ran fails with exit code 255 and reason Unknown, for which a
// step's error is kontinue.ErrNodeLost; its Job makes another one if its backoffLimit allows.
// Any other pod runs its init containers again and then those that have not ended for good.
// Files that containers have written are gone, also those in a PersistentVolumeClaim.
// Deadlines and TTLs count from the times in the objects, also while there is no cluster.
// Watches of the time before expire (410 Gone), and informers list again. Options such as
// Kinds, and plays, are not stored: give them again.
//
// If a write cannot be stored, as on a full disk, it is refused with a 500 that says so. The
// directory is for its owner only, and for one program at a time. Its files are not to be
// edited while it is in use; objects.jsonl has one object a line. A damaged file is an error
// of [Start] that names the line; a last line that a crash has cut is not.
//
// It is no place for untrusted users: whoever has the token of an endpoint can run
// commands on this machine.
package devcluster
