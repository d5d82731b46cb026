// Kontinue is a command for Kubernetes Jobs: a step from the shell, and a cluster for
// development.
//
//	kontinue run       start a command as a Job, and wait for it
//	kontinue dev       serve a Kubernetes cluster in memory, for kubectl and for programs
//	kontinue version   print the version
//
// As kubectl-kontinue in the PATH it is the plugin "kubectl kontinue". docs/cli.md
// describes the commands.
package main
