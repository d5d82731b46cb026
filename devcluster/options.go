package devcluster

import (
	"fmt"
	"time"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// Options configure a [Cluster]. The zero value is a cluster of one node that runs the
// commands of containers as local processes, and in which everything is noticed at once.
type Options struct {
	// Containers says what runs in the containers. Default: [Processes].
	Containers Containers
	// RealDelays makes the kubelet and the Job controller take the time that those of a
	// real cluster take to notice what has happened, up to two seconds. Default: none.
	RealDelays bool
	// QuickRetries shortens the back-off of the Job controller (10 s, doubled for each
	// failed pod) and of the kubelet to milliseconds.
	QuickRetries bool
	// Kinds are custom resources, which can own Jobs as any object can.
	Kinds []Kind
	// Data is a directory for the cluster's state, which is made if it does not exist: a
	// cluster that is started with it later continues where this one ended, also if this
	// program was killed. The package documentation says what survives. Start refuses a
	// directory with files of other programs, and returns an
	// error that wraps [ErrInUse] if the cluster of another program has the directory.
	// Default: the cluster is in memory only, and ends with Stop or the program.
	Data string
}

// Containers says what runs in the containers of a [Cluster].
type Containers string

const (
	// Processes runs the command of each container as a process on this machine, in a
	// temporary directory. Its environment consists of PATH, HOME and the variables of the
	// container. Images are ignored, and every container needs a command. It does not work
	// in a testing/synctest bubble.
	Processes Containers = "Processes"
	// Scripts runs no command: the plays of [Cluster.Play] say what a container does, and
	// one without a play succeeds at once.
	Scripts Containers = "Scripts"
)

// Kind is a custom resource with one version, as a CustomResourceDefinition declares it.
// Its schema accepts every field.
type Kind struct {
	// Group, Version and Kind are required. The group must not be one of Kubernetes.
	Group, Version, Kind string
	// Plural is the name in paths. Default: the plural of Kind in lower case.
	Plural string
	// Singular is what kubectl accepts instead of Plural. Default: Kind in lower case.
	Singular string
	// ShortNames are abbreviations for kubectl.
	ShortNames []string
	// Categories are groups of resources for kubectl, such as "all".
	Categories []string
	// Status adds the status subresource: writes of the resource then ignore the status,
	// and writes of the subresource everything else.
	Status bool
	// ClusterScoped is for objects outside namespaces.
	ClusterScoped bool
}

// quick is the shortest back-off, which is still long enough for others to get a turn.
const quick = 10 * time.Millisecond

// memory returns the options of the cluster in memory.
func (o Options) memory() (fakecluster.Options, error) {
	m := fakecluster.Options{APIServer: apiserver.Options{RequireNamespaces: true}}
	m.Controller.NormalEvents, m.Kubelet.NormalEvents = true, true // for kubectl describe
	switch o.Containers {
	case "", Processes:
		m.LocalProcesses = true
	case Scripts:
	default:
		return m, fmt.Errorf("containers %q: want %q or %q", o.Containers, Processes, Scripts)
	}
	for _, k := range o.Kinds {
		m.APIServer.Kinds = append(m.APIServer.Kinds, apiserver.Kind(k))
	}
	if err := apiserver.CheckKinds(m.APIServer.Kinds); err != nil {
		return m, err
	}
	if o.RealDelays {
		m.Delays = fakecluster.RealDelays()
	}
	if o.QuickRetries {
		m.Controller.PodBackoff, m.Controller.RetryBase = -1, quick
		m.Kubelet.BackoffScale = 1e-4
	}
	return m, nil
}
