// Package starts says why the containers of a pod have not started, or why a pod has not
// stopped, since when, and how long that may take.
//
// It is a pure function of the pod's status. Its times are those of the control plane, so
// that neither the worker's clock nor that of a node decides.
package starts
