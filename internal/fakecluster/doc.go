// Package fakecluster is a Kubernetes cluster in memory: the API server of
// package apiserver with the controllers of package controller and the scheduler
// and kubelets of package kubelet on it. A Job created through its clientset runs and
// ends as it would in a real cluster, with the same order of events.
//
// New makes a cluster whose containers follow scripts (On); with
// Options.LocalProcesses they run as processes of this machine. Start it, use
// Clientset or Config, Stop it: Stop waits for every goroutine. Created inside a
// testing/synctest bubble, a cluster with scripts lives in virtual time.
//
// The controllers have their own users, so that faults, denials and request counts on
// the API server apply to the program under test only.
package fakecluster
